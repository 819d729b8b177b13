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

/** `repository "R" (priority N)`; a repository that is no longer configured has no priority. */
function owner(repository: string | undefined, priority: string | undefined): string {
  const named = repository === undefined || repository === "" ? "a local file" : `repository "${repository}"`;
  return priority === undefined || priority === "" ? named : `${named} (priority ${priority})`;
}

function foreign(subject: string, data: Data, verb: string): string {
  const placed = owner(data["new_repository"], data["new_priority"]);
  const head = `"${data["new"] ?? ""}" from ${placed} ${verb} "${data["old"] ?? subject}", which was installed from`;
  const { old_repository: repository = "", old_priority: priority = "" } = data;
  // An orphan's former repository has no priority any more: its strength is unknown, not higher (S-AUTH-02).
  return priority === ""
    ? `${head} repository "${repository}", which is no longer configured`
    : `${head} higher-priority repository "${repository}" (priority ${priority})`;
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
      return `dependency "${data["dependency"] ?? subject}" is satisfied by "${data["provider"] ?? ""}" ${
        data["version"] ?? ""
      } via provides from repository "${data["repository"] ?? ""}", shadowing "${data["dependency"] ?? subject}" ${
        data["shadowed_version"] ?? ""
      } from higher-priority repository "${data["shadowed_repository"] ?? ""}"`;
    case "AUTH_WEAKEN_POLICY":
    case "AUTH_INSECURE_TOGGLE":
    case "AUTH_TRUST_ANCHOR":
      return `repository "${subject}" would change ${data["setting"] ?? ""} from ${data["from"] ?? ""} to ${
        data["to"] ?? ""
      }`;
    case "AUTH_RECOVERY":
      return data["transaction"] === undefined || subject.startsWith("/")
        ? `restore ${subject} from its backup and move aside what is there now`
        : `accept the files as they are and discard the journal of transaction ${data["transaction"]}`;
    case "AUTH_SD_OVERRIDE":
      return `"${data["package"] ?? subject}" ${data["version"] ?? ""} would set a security descriptor on ${
        data["path"] ?? ""
      }: ${data["summary"] ?? ""}`;
    case "AUTH_SD_UNSUPPORTED":
      return `"${data["package"] ?? subject}" ${data["version"] ?? ""} declares ${
        data["count"] ?? ""
      } security descriptors that this kernel cannot apply; they would be ignored`;
    case "AUTH_CLAIM_OVERRIDE":
      return `role "${subject}" would pass from "${data["from"] ?? ""}", from higher-priority repository "${
        data["from_repository"] ?? ""
      }", to "${data["to"] ?? ""}" from ${owner(data["to_repository"], undefined)}`;
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
