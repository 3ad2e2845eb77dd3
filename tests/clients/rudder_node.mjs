/* Makes the calls that it is given on standard input with RudderStack's client for Node; prints its errors. */
import { readFileSync } from "node:fs";
import RudderAnalytics from "@rudderstack/rudder-sdk-node";

const [dataPlaneUrl, writeKey] = process.argv.slice(2);
const errors = [];
const errorHandler = (error) => errors.push(String(error.message ?? error));
const client = new RudderAnalytics(writeKey, { dataPlaneUrl, retryCount: 0, logLevel: "error", errorHandler });
for (const [call, message] of JSON.parse(readFileSync(0, "utf8"))) client[call](message);
do await client.flush().catch(() => {});
while (client.queue.length > 0);
await client.flush().catch(() => {}); // the one that is under way
console.log(JSON.stringify(errors));
process.exit(0);
