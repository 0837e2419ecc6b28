/** Projects, accounts, tokens, the audit trail. As the schema has it. */

import type { components } from "../../api/schema";

type Schemas = components["schemas"];

export type Project = Schemas["ProjectOut"];
export type Account = Schemas["UserOut"];
export type Member = Schemas["MembershipOut"];
export type TokenRow = Schemas["TokenOut"];
export type AuditEvent = Schemas["AuditOut"];
