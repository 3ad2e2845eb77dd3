"""An IMAP server on this host with one folder: enough of RFC 3501 to be read from, and to fail."""

from __future__ import annotations

import re
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class Folder:
    """`mails` by UID. `cut_after`: the line is cut after so many fetched messages, once."""

    mails: dict[int, bytes] = field(default_factory=dict)
    validity: int = 1
    password: str = "secret"
    cut_after: int | None = None
    fetched: list[int] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        return f"imap://bounces:secret@127.0.0.1:{self.port}/INBOX"


class _Conversation(socketserver.StreamRequestHandler):
    server: _Server

    def handle(self) -> None:
        self._say("* OK here")
        while line := self.rfile.readline().decode().strip():
            tag, _, command = line.partition(" ")
            self.server.folder.commands.append(command.split(" ")[0])
            if not self._answer(tag, command):
                return

    def _answer(self, tag: str, command: str) -> bool:
        folder, verb = self.server.folder, command.split(" ", maxsplit=1)[0].upper()
        if verb == "CAPABILITY":
            self._say("* CAPABILITY IMAP4rev1")
        elif verb == "LOGIN" and f'"{folder.password}"' not in command:
            self._say(f"{tag} NO wrong")
            return True
        elif verb == "EXAMINE":
            self._say(f"* {len(folder.mails)} EXISTS")
            self._say(f"* OK [UIDVALIDITY {folder.validity}] valid")
        elif command.upper().startswith("UID SEARCH"):
            low = int(re.findall(r"UID (\d+):", command)[0])
            found = [uid for uid in sorted(folder.mails) if uid >= low]
            found = found or sorted(folder.mails)[-1:]
            self._say("* SEARCH " + " ".join(map(str, found)))
        elif command.upper().startswith("UID FETCH"):
            for uid in map(int, command.split(" ")[2].split(",")):
                if folder.cut_after is not None and len(folder.fetched) >= folder.cut_after:
                    folder.cut_after = None
                    return False
                folder.fetched.append(uid)
                body = folder.mails[uid]
                self.wfile.write(f"* 1 FETCH (UID {uid} BODY[]<0> {{{len(body)}}}\r\n".encode())
                self.wfile.write(body + b")\r\n")
        self._say(f"{tag} OK done")
        return True

    def _say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, folder: Folder) -> None:
        super().__init__(("127.0.0.1", 0), _Conversation)
        self.folder = folder


@contextmanager
def imap(**mails: bytes) -> Iterator[Folder]:
    """Serve `u1=…, u2=…` as the messages of UID 1, 2."""
    folder = Folder({int(name[1:]): content for name, content in mails.items()})
    with _Server(folder) as server:
        folder.port = int(server.server_address[1])
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield folder
        server.shutdown()
        thread.join()
