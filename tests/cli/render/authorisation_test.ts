import assert from "node:assert/strict";
import { authorisationDocument, authorisationText } from "../../../cli/render/authorisation.ts";
import type { Authorisation } from "../../../mod.ts";

const FOREIGN = {
  package: "new",
  version: "2-1",
  repository: "extra",
  priority: "50",
  removed: "old",
  removed_version: "1-1",
};

Deno.test("C-AUTH-01, C-AUTH-08: each elevated action has its sentence", () => {
  const cases: readonly (readonly [Authorisation, string])[] = [
    [
      { action: "AUTH_DOWNGRADE", subject: "nginx", data: { from: "1.27.5-1", to: "1.27.4-1" } },
      "nginx would move backward from 1.27.5-1 to 1.27.4-1",
    ],
    [
      {
        action: "AUTH_FOREIGN_REPLACES",
        subject: "old",
        data: { ...FOREIGN, removed_repository: "official", removed_priority: "10" },
      },
      '"new" from repository "extra" (priority 50) replaces "old", which was installed from higher-priority repository ' +
      '"official" (priority 10)',
    ],
    [
      {
        action: "AUTH_FOREIGN_CONFLICT",
        subject: "old",
        data: { ...FOREIGN, removed_repository: "gone", orphaned: "true" },
      },
      '"new" from repository "extra" (priority 50) conflicts with and removes "old", which was installed from ' +
      'repository "gone", which is no longer configured',
    ],
    [
      {
        action: "AUTH_LOW_TRUST_PROVIDES",
        subject: "smtp-server",
        data: {
          dependency: "smtp-server",
          package: "postfix",
          version: "3.8-1",
          repository: "extra",
          priority: "50",
          shadowed_version: "1.0-1",
          shadowed_repository: "official",
        },
      },
      'dependency "smtp-server" is satisfied by "postfix" 3.8-1 via provides from repository "extra", shadowing ' +
      '"smtp-server" 1.0-1 from higher-priority repository "official"',
    ],
    [
      {
        action: "AUTH_WEAKEN_POLICY",
        subject: "internal",
        data: { setting: "signature_policy", from: "required", to: "optional" },
      },
      'repository "internal" would change signature_policy from required to optional',
    ],
    [
      { action: "AUTH_RECOVERY", subject: "51", data: { transaction: "51" } },
      "accept the files as they are and discard the journal of transaction 51",
    ],
    [
      { action: "AUTH_RECOVERY", subject: "/etc/x", data: { path: "/etc/x", transaction: "51" } },
      "restore /etc/x from its backup and move aside what is there now",
    ],
    [
      {
        action: "AUTH_SD_OVERRIDE",
        subject: "/usr/bin/p",
        data: { package: "p", version: "1-1", path: "/usr/bin/p", summary: "owner S-1-5-18" },
      },
      '"p" 1-1 would set a security descriptor on /usr/bin/p: owner S-1-5-18',
    ],
    [
      { action: "AUTH_SD_UNSUPPORTED", subject: "p", data: { package: "p", version: "1-1", count: "3" } },
      '"p" 1-1 declares 3 security descriptors that this kernel cannot apply; they would be ignored',
    ],
    [
      {
        action: "AUTH_CLAIM_OVERRIDE",
        subject: "registryd",
        data: { from: "loregd", from_repository: "official", to: "altregd", to_repository: "extra" },
      },
      'role "registryd" would pass from "loregd", from higher-priority repository "official", to "altregd" from ' +
      'repository "extra"',
    ],
  ];
  for (const [authorisation, expected] of cases) assert.equal(authorisationText(authorisation), expected);
});

Deno.test("C-JSON-01: an authorisation in JSON has kind, package, text and details", () => {
  const data = { from: "2-1", to: "1-1" };
  assert.deepEqual(authorisationDocument({ action: "AUTH_DOWNGRADE", subject: "a", data }), {
    kind: "downgrade",
    package: "a",
    text: "a would move backward from 2-1 to 1-1",
    details: data,
  });
  assert.equal(authorisationDocument({ action: "AUTH_CLOCK", subject: "", data: {} }), undefined);
});
