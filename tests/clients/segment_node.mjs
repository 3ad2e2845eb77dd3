/* Makes the calls that it is given on standard input with Segment's client for Node; prints its errors. */
import { readFileSync } from "node:fs";
import { Analytics } from "@segment/analytics-node";

const [host, writeKey] = process.argv.slice(2);
const client = new Analytics({ host, writeKey, path: "/v1/batch", maxRetries: 0 });
const errors = [];
client.on("error", (error) => errors.push(String(error.reason ?? error.code)));
for (const [call, message] of JSON.parse(readFileSync(0, "utf8"))) client[call](message);
await client.closeAndFlush({ timeout: 30_000 });
console.log(JSON.stringify(errors));
