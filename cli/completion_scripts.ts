/**
 * Completion scripts. They know nothing themselves: each asks the program what fits (C-COMP-02), so they can never
 * differ from the command table.
 */
import type { ProgramName } from "./command.ts";

/** Shells with a script, and where it is installed below the root (C-COMP-01). */
export const COMPLETION_PATHS = {
  bash: (program: ProgramName): string => `usr/share/bash-completion/completions/${program}`,
  zsh: (program: ProgramName): string => `usr/share/zsh/site-functions/_${program}`,
  fish: (program: ProgramName): string => `usr/share/fish/vendor_completions.d/${program}.fish`,
} as const;

export type CompletionShell = keyof typeof COMPLETION_PATHS;

const functionName = (program: ProgramName): string => `_${program.replaceAll("-", "_")}`;

const bash = (program: ProgramName): string => {
  const name = functionName(program);
  return `# bash completion for ${program}
${name}() {
    local line
    COMPREPLY=()
    while IFS= read -r line; do
        COMPREPLY+=("\${line%%$'\\t'*}")
    done < <("\${COMP_WORDS[0]}" __complete bash "$COMP_CWORD" -- "\${COMP_WORDS[@]}" 2>/dev/null)
    if [[ \${#COMPREPLY[@]} -eq 1 && \${COMPREPLY[0]} == *[/=] ]]; then
        compopt -o nospace
    fi
    if [[ \${COMPREPLY[*]} == */* ]]; then
        compopt -o filenames
    fi
}
complete -F ${name} ${program}
`;
};

const zsh = (program: ProgramName): string => {
  const name = functionName(program);
  return `#compdef ${program}
# zsh completion for ${program}
${name}() {
    local line value
    local -a described open
    while IFS= read -r line; do
        value=\${line%%$'\\t'*}
        if [[ $value == *[/=] ]]; then
            open+=("$value")
        elif [[ $line == *$'\\t'* ]]; then
            described+=("\${value//:/\\\\:}:\${line#*$'\\t'}")
        else
            described+=("\${value//:/\\\\:}")
        fi
    done < <("$words[1]" __complete zsh $((CURRENT - 1)) -- "\${words[@]}" 2>/dev/null)
    (( $#described )) && _describe -t values value described
    (( $#open )) && compadd -S '' -a open
}
${name} "$@"
`;
};

const fish = (program: ProgramName): string => {
  const name = `_${functionName(program)}_complete`;
  return `# fish completion for ${program}
function ${name}
    set -l words (commandline -opc) (commandline -ct)
    command $words[1] __complete fish (math (count $words) - 1) -- $words 2>/dev/null
end
complete -c ${program} -f -a '(${name})'
`;
};

const SCRIPTS: Readonly<Record<CompletionShell, (program: ProgramName) => string>> = { bash, zsh, fish };

export const COMPLETION_SHELLS: readonly CompletionShell[] = ["bash", "zsh", "fish"];

/** The script of a program for a shell; empty for a shell without one. */
export function completionScript(program: ProgramName, shell: string): string {
  const known = COMPLETION_SHELLS.find((name) => name === shell);
  return known === undefined ? "" : SCRIPTS[known](program);
}
