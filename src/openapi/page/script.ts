/** The docs page's script as text: the functions of this folder, and a call of the first. */
import { h, lazyDetails, prose, refName, resolve } from "./dom.ts";
import {
  accessText,
  contentsLine,
  failureView,
  failuresView,
  faultCodes,
  fillPage,
  groupByTag,
  methodBadge,
  operationParts,
  operationView,
  responseView,
  searchText,
  showTarget,
  start,
  watchSearch,
} from "./page-view.ts";
import { limitsText, nestedSchema, sampleOf, schemaRow, schemaTree, typeText } from "./schema-view.ts";
import { bodyField, curlText, fieldFor, prettyJson, requestFor, sendCall, tryForm } from "./try-form.ts";

const functions: readonly { readonly name: string }[] = [
  h,
  lazyDetails,
  prose,
  refName,
  resolve,
  limitsText,
  nestedSchema,
  sampleOf,
  schemaRow,
  schemaTree,
  typeText,
  bodyField,
  curlText,
  fieldFor,
  prettyJson,
  requestFor,
  sendCall,
  tryForm,
  accessText,
  contentsLine,
  failureView,
  failuresView,
  faultCodes,
  fillPage,
  groupByTag,
  methodBadge,
  operationParts,
  operationView,
  responseView,
  searchText,
  showTarget,
  start,
  watchSearch,
];

export const script = `"use strict";\n${functions.map(String).join("\n")}\nvoid ${start.name}();\n`;
