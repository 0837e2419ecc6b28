/** Projects, accounts, tokens, the audit trail. As the server answers, as far as the pages read it. */

import type { ProjectRef, Role } from "../../api/types";

export interface Project extends ProjectRef {
  readonly seed: number;
  readonly readings_per_exam: number;
  readonly audit_share: number;
  readonly weights: Readonly<Record<string, number>>;
  readonly created_at: string;
  readonly role: Role | null;
}

export interface Account {
  readonly id: string;
  readonly username: string;
  readonly is_site_admin: boolean;
  readonly is_active: boolean;
  readonly last_login: string | null;
  readonly created_at: string;
}

export interface Member {
  readonly id: string;
  readonly project: string;
  readonly user: string;
  readonly username: string;
  readonly role: Role;
}

export interface TokenRow {
  readonly id: string;
  readonly name: string;
  readonly scope: "read" | "write";
  readonly username: string;
  readonly created_at: string;
  readonly ends_at: string;
  readonly last_used_at: string | null;
  readonly revoked_at: string | null;
}

export interface AuditEvent {
  readonly id: number | string;
  readonly at: string;
  readonly actor: string;
  readonly verb: string;
  readonly target_kind: string;
  readonly target_id: string;
  readonly detail: Readonly<Record<string, unknown>>;
}
