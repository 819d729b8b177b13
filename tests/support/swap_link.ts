/**
 * Swaps a directory for a link to another one and back, until standard input ends: the hostile neighbour of the race
 * tests. Arguments: the directory, what the link leads to.
 */
const [directory = "", target = ""] = Deno.args;
const away = `${directory}.away`;

function swap(): void {
  Deno.renameSync(directory, away);
  Deno.symlinkSync(target, directory);
  Deno.removeSync(directory);
  Deno.renameSync(away, directory);
}

let isWanted = true;
Deno.stdin.readable.pipeTo(new WritableStream()).finally(() => isWanted = false);
await Deno.stdout.write(new TextEncoder().encode("started\n"));
while (isWanted) {
  for (let round = 0; round < 100; round++) swap();
  // Lets the end of standard input be noticed.
  await new Promise((resolve) => setTimeout(resolve, 0));
}
