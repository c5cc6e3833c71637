"""Completion as the shells themselves do it, with the scripts that the package installs."""

import os
import pty
import select
import subprocess
import time

# the line up to the cursor, what must be offered, what must not
ROWS = [
    ("zoetrope ", ["serve", "generate", "keys", "help"], ["--listen"]),
    ("zoetrope se", ["serve"], ["keys"]),
    ("zoetrope keys ", ["create", "list", "revoke"], ["serve"]),
    ("zoetrope keys cr", ["create"], ["list"]),
    ("zoetrope keys create ", [], ["create", "list"]),
    ("zoetrope serve --lis", ["--listen"], ["--drain"]),
    ("zoetrope serve --http-status ", ["real", "compat"], ["serve"]),
    ("zoetrope serve --http-status=co", ["compat"], ["real"]),
    ("zoetrope generate --resolution=", ["480p", "1080p"], []),
    ("zoetrope worker --name", [], ["--name"]),  # hidden settings stay hidden
    ("zoetrope generate pict", ["picture.png"], []),
    ("zoetrope generate -o pict", ["picture.png"], []),
    ("zoetrope serve --data=fold", ["folder"], ["picture"]),
]


def bash(script, line, folder):
    """Words as readline breaks them: '=' is a word of its own."""
    words = line.replace("=", " = ").split(" ")
    words = [w for i, w in enumerate(words) if w or i == len(words) - 1]
    program = ('source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _zoetrope; '
               'printf "%s\\n" "${COMPREPLY[@]}"')
    done = subprocess.run(["bash", "--norc", "-c", program, "bash", script, *words], cwd=folder,
                          capture_output=True, text=True, timeout=20)
    return done.stdout + done.stderr


def fish(script, line, folder):
    done = subprocess.run(["fish", "--no-config", "-c", f"source {script}; complete -C '{line}'"],
                          cwd=folder, capture_output=True, text=True, timeout=20)
    return "\n".join(text.split("\t")[0] for text in done.stdout.splitlines()) + done.stderr


class Zsh:
    """One interactive zsh on a terminal of its own; ^D lists what there is to complete."""

    def __init__(self, script, folder):
        pid, self.fd = pty.fork()
        if pid == 0:
            os.chdir(folder)
            os.execvpe("zsh", ["zsh", "-f", "-i"], {**os.environ, "TERM": "dumb", "COLUMNS": "200"})
        self.pid = pid
        self.say(f"PS1=; unsetopt zle_bracketed_paste; LISTMAX=1000; fpath=({os.path.dirname(script)} $fpath);"
                 " autoload -U compinit; compinit -u -D; zstyle ':completion:*' insert-tab false;"
                 " print -r -- rea''dy\n", "\nready")

    def say(self, text, until):
        """Writes; returns what comes until `until` was seen and it went quiet."""
        os.write(self.fd, text.encode())
        said, end = "", time.monotonic() + 20
        while time.monotonic() < end:
            quiet = 0.3 if until and until in said.replace("\r", "") else 2
            if not select.select([self.fd], [], [], quiet)[0]:
                break
            try:
                said += os.read(self.fd, 65536).decode("utf-8", "replace")
            except OSError:
                break
        return said

    def ask(self, line, wanted):
        said = self.say(f"{line}\x04", wanted[0] if wanted else None).replace("\r", "")
        self.say("\x15", "\n" if not wanted else "")  # forget the line
        return said.replace(line, "")

    def close(self):
        os.write(self.fd, b"\x15exit\n")
        os.close(self.fd)
        os.waitpid(self.pid, 0)


def test(check, root):
    share = f"{root}/usr/share"
    folder = f"{root}/completing"
    os.makedirs(f"{folder}/folder")
    with open(f"{folder}/picture.png", "w", encoding="utf-8"):
        pass
    zsh = Zsh(f"{share}/zsh/vendor-completions/_zoetrope", folder)
    for line, offered, others in ROWS:
        said = {"bash": bash(f"{share}/bash-completion/completions/zoetrope", line, folder),
                "fish": fish(f"{share}/fish/vendor_completions.d/zoetrope.fish", line, folder)}
        if len(offered) > 1:  # with one match zsh completes instead of listing
            said["zsh"] = zsh.ask(line, offered)
        for shell, text in said.items():
            check(f"{shell} offers {offered} after '{line}'", all(w in text for w in offered), text)
            check(f"{shell} offers none of {others} after '{line}'",
                  not any(w in text.split() for w in others), text)
    zsh.close()
