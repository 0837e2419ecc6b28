import type { paths } from "./schema";

/**
 * The server's addresses as types, from its schema: which there are, what each is asked, what it answers. A page writes
 * an address as it is, `runs/${id}/`, and the compiler finds the row of the schema that it belongs to.
 */

type Path = keyof paths & string;
export type Method = "get" | "post" | "patch" | "put" | "delete";

/** `/api/v1/runs/{id}/` as `runs/${string}/`. */
type Filled<P extends string> = P extends `${infer Before}{${string}}${infer After}`
  ? `${Before}${string}${Filled<After>}`
  : P;
type Spelled<P extends Path> = P extends `/api/v1/${infer Rest}` ? Filled<Rest> : never;
type PathsWith<M extends Method> = { [P in Path]: paths[P] extends Record<M, object> ? P : never }[Path];

/** What may be asked with a method. */
export type Address<M extends Method> = Spelled<PathsWith<M>>;

// Both ways round: `runs/${string}/events/` also fits the pattern `runs/${string}/`, but not the other way.
type PathOf<M extends Method, A extends string> = {
  [P in PathsWith<M>]: [A] extends [Spelled<P>] ? ([Spelled<P>] extends [A] ? P : never) : never;
}[PathsWith<M>];

// Of several addresses (`models/${id}/${"promote" | "retire"}/`) one after the other.
type Operation<M extends Method, A extends string> = A extends unknown
  ? PathOf<M, A> extends infer P extends Path
    ? paths[P][M]
    : never
  : never;

type Json<Content> = Content extends { readonly "application/json": infer Body } ? Body : null;
type Taken = 200 | 201 | 202 | 204;
type Said<Responses> = {
  [Code in keyof Responses & Taken]: Responses[Code] extends { content: infer Content }
    ? Json<Content>
    : null;
}[keyof Responses & Taken];
type Answered<O> = O extends { readonly responses: infer Responses } ? Said<Responses> : never;

/** What an address answers when it does not refuse. */
export type Answer<M extends Method, A extends string> = Answered<Operation<M, A>>;

type Sent<O> = O extends { readonly requestBody?: infer B }
  ? NonNullable<B> extends { readonly content: infer Content }
    ? Content extends { readonly "application/json": infer Given }
      ? Given
      : never
    : never
  : never;

/** What is sent to an address as JSON. */
export type Body<M extends Method, A extends string> = Sent<Operation<M, A>>;

// A query comes from the page's own address bar as text; whether a word is one of the choices is for the server to say.
type Loose<T> = T extends string ? string : T | string;
type Asked<O> = O extends { readonly parameters: { readonly query?: infer Q } }
  ? { readonly [Name in keyof NonNullable<Q>]?: Loose<NonNullable<Q>[Name]> | null }
  : never;

/** What an address may be asked; empty values are left out. */
export type Asking<M extends Method, A extends string> = Asked<Operation<M, A>>;
