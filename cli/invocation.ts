export interface Invocation {
  readonly todo: never;
}
