/**
 * The sentence of each elevated action: shown in the plan, asked at the terminal, recorded as evidence. One wording
 * for all three, so that what was agreed to is what was shown.
 *
 * @see C-AUTH-01, C-AUTH-08
 */
import { type Authorisation, type AuthorisationKind, ELEVATED_ACTIONS, type Weakening } from "../../mod.ts";

/** `Authorisation` of cli.md 6.2. */
export interface AuthorisationDocument {
  readonly kind: AuthorisationKind;
  readonly package: string;
  readonly text: string;
  readonly details: Readonly<Record<string, string>>;
}

type Data = Readonly<Record<string, string>>;

/** `repository "R" (priority N)`; a local file has neither. */
function placedFrom({ repository, priority }: Data): string {
  return repository === undefined ? "a local file" : `repository "${repository}" (priority ${priority ?? ""})`;
}

/** A package taken away by one from a weaker repository; an orphan's strength is unknown, not higher (S-AUTH-02). */
function foreign(subject: string, data: Data, verb: string): string {
  const head = `"${data["package"] ?? ""}" from ${placedFrom(data)} ${verb} "${subject}", which was installed from`;
  const repository = `repository "${data["removed_repository"] ?? ""}"`;
  return data["removed_priority"] === undefined
    ? `${head} ${repository}, which is no longer configured`
    : `${head} higher-priority ${repository} (priority ${data["removed_priority"]})`;
}

/**
 * @returns One sentence, unescaped: its parts are escaped where it is printed.
 */
export function authorisationText({ action, subject, data }: Authorisation): string {
  switch (action) {
    case "AUTH_DOWNGRADE":
      return `${subject} would move backward from ${data["from"] ?? ""} to ${data["to"] ?? ""}`;
    case "AUTH_FOREIGN_REPLACES":
      return foreign(subject, data, "replaces");
    case "AUTH_FOREIGN_CONFLICT":
      return foreign(subject, data, "conflicts with and removes");
    case "AUTH_LOW_TRUST_PROVIDES":
      return `dependency "${subject}" is satisfied by "${data["package"] ?? ""}" ${
        data["version"] ?? ""
      } via provides ` +
        `from ${data["repository"] === undefined ? "a local file" : `repository "${data["repository"]}"`}, shadowing ` +
        `"${subject}" ${data["shadowed_version"] ?? ""} from higher-priority repository ` +
        `"${data["shadowed_repository"] ?? ""}"`;
    case "AUTH_WEAKEN_POLICY":
    case "AUTH_INSECURE_TOGGLE":
    case "AUTH_TRUST_ANCHOR":
      return `repository "${subject}" would change ${data["setting"] ?? ""} from ${data["from"] ?? ""} to ${
        data["to"] ?? ""
      }`;
    case "AUTH_RECOVERY":
      return data["path"] === undefined
        ? `accept the files as they are and discard the journal of transaction ${data["transaction"] ?? subject}`
        : `restore ${data["path"]} from its backup and move aside what is there now`;
    case "AUTH_SD_OVERRIDE":
      return `"${data["package"] ?? subject}" ${data["version"] ?? ""} would set a security descriptor on ${
        data["path"] ?? ""
      }: ${data["summary"] ?? ""}`;
    case "AUTH_SD_UNSUPPORTED":
      return `"${data["package"] ?? subject}" ${data["version"] ?? ""} declares ${
        data["count"] ?? ""
      } security descriptors that this kernel cannot apply; they would be ignored`;
    case "AUTH_CLAIM_OVERRIDE": {
      const repository = data["to_repository"] ?? "";
      const to = repository === "" ? "a local file" : `repository "${repository}"`;
      return `role "${subject}" would pass from "${data["from"] ?? ""}", from higher-priority repository "${
        data["from_repository"] ?? ""
      }", to "${data["to"] ?? ""}" from ${to}`;
    }
    case "AUTH_PURGE":
    case "AUTH_CLOCK":
    case "AUTH_STALE_TRUST":
      // Recorded or reserved, never asked.
      return `${action} ${subject}`;
  }
}

/** The JSON form; `undefined` for actions that are recorded but never asked. */
export function authorisationDocument(authorisation: Authorisation): AuthorisationDocument | undefined {
  const kind = ELEVATED_ACTIONS[authorisation.action];
  if (kind === undefined) return undefined;
  return {
    kind,
    package: authorisation.subject,
    text: authorisationText(authorisation),
    details: authorisation.data,
  };
}

/** A repository's weakened settings as an elevated action. */
export function weakeningAuthorisation({ action, repository }: Weakening): Authorisation {
  const data = action === "AUTH_WEAKEN_POLICY"
    ? { setting: "signature_policy", from: "required", to: "optional" }
    : { setting: "transport", from: "https", to: "plain http" };
  return { action, subject: repository, data };
}
