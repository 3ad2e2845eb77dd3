/* What the rule builder needs of its libraries, under the one global name ReactQueryBuilder. */
export { createElement, memo, useCallback, useEffect, useMemo, useRef, useState } from "react";
export { createRoot } from "react-dom/client";
export { QueryBuilder } from "react-querybuilder";
