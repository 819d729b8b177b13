/** The commands of the table that look at the program itself. */
import type { CommandSpec } from "./command.ts";

export const SELF: CommandSpec = {
  name: "self",
  group: "maintenance",
  summary: "look at the program itself",
  operands: [],
  options: [],
  needs: "session",
  output: "document",
  subcommands: [
    {
      name: "verify",
      group: "maintenance",
      summary: "check the program's file against signed sums",
      description: [
        "Verifies the signature of SHA256SUMS as a release publishes it, and that the running program's own bytes are " +
        "listed there, under whatever name.",
        "A program that was made to lie would lie here too: compare with sha256sum -c on another machine where that is " +
        "the question.",
      ],
      operands: [{ label: "sums", kind: "file" }],
      requirement: "exactly one list of sums is required",
      synopses: ["<SHA256SUMS> --key PUB [options]"],
      options: [
        {
          name: "key",
          value: { label: "PUB", kind: "file" },
          repeatable: true,
          summary: "public key that may have signed the list",
        },
        {
          name: "fingerprint",
          value: { label: "FP", kind: "text" },
          repeatable: true,
          summary: "fingerprint the signer must have",
        },
        {
          name: "signature",
          value: { label: "FILE", kind: "file" },
          summary: "signature of the list (default SUMS.sig)",
        },
      ],
      needs: "session",
      output: "document",
      examples: [{
        line: "peipkg self verify SHA256SUMS --key release.pub --fingerprint 'ef86 709c ...'",
        meaning: "check the program that is running",
      }],
      load: () => import("./commands/self/verify.ts"),
    },
  ],
  examples: [],
};
