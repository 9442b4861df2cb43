"""What an sshd says on a connection, by the version of its host: the voice in which the samples' actors are heard.

Wordings are those of OpenSSH's sources, version 4.3 to 10.0 (`auth.c`, `auth2.c`, `packet.c`, `kex.c`, `sshd.c`,
`srclimit.c`), and of Linux-PAM's `pam_unix`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

LISTENER_PID = 812
PIDS = 4_194_304
STEP = 0.0013  # seconds between two lines that are said at once
MD5_FINGERPRINT = "5d:2a:91:0c:7e:44:b3:18:f6:0d:cc:2b:95:e1:6f:37"


class Truth(NamedTuple):
    """What a line really is: of an attack or not, from which source (empty where from none), of which kind.

    Lines of attacks name their campaign, and its strength: tries per hour of one of its addresses.
    """

    is_attack: bool
    source: str
    kind: str
    campaign: str = ""
    strength: float = 0.0


class Said(NamedTuple):
    """A line before it has its time as text. `tries` is how many tries to get in it is the proof of, by `user`."""

    second: float
    host: Host
    text: str
    truth: Truth
    tries: int = 0
    user: str = ""


@dataclass(slots=True, eq=False)
class Host:
    """A host with its sshd. `version` is OpenSSH's times ten; `offset` is minutes east of UTC of its ISO stamps."""

    name: str
    version: int
    iso: bool = False
    offset: int = 0
    repeats: bool = False  # its syslog says "message repeated N times"
    pam: bool = True
    verbose: bool = False  # LogLevel VERBOSE: connections, and each key that is tried
    names: bool = False  # UseDNS: PAM is told the name of a source that has one
    asks: bool = False  # keyboard-interactive instead of password
    bars_root: bool = False  # AllowUsers without root
    pid: int = 1_000

    def next_pid(self) -> int:
        self.pid = (self.pid + 1) % PIDS or 300
        return self.pid

    @property
    def daemon(self) -> str:
        """The program that talks to one client: since 9.8 not the one that listens."""
        return "sshd-session" if self.version >= 98 else "sshd"


def new_hosts() -> list[Host]:
    """The hosts of a sample, their counters at the start: one log host receives what they say."""
    return [
        Host("bastion", 74, repeats=True, verbose=True, pid=21_000),
        Host("build-1", 89, iso=True, pid=310_400),
        Host("web-1", 66, repeats=True, names=True, pid=9_800),
        Host("web-2", 82, pid=120_500),
        Host("db-1", 99, iso=True, offset=60, bars_root=True, pid=77_300),
        Host("edge-1", 100, pam=False, pid=502_000),
        Host("files-1", 53, bars_root=True, pid=4_100),
        Host("hpc-1", 87, asks=True, verbose=True, pid=64_000),
        Host("legacy-1", 43, pid=2_600),
        Host("ci-1", 96, iso=True, offset=-300, verbose=True, pid=88_000),
    ]


class Connection:
    """One connection to a host. What is said has the connection's own clock, `second`, and goes to `out`."""

    __slots__ = ("address", "child", "failed", "head", "host", "name", "out", "pid", "port", "second", "truth")

    def __init__(
        self, out: list[Said], host: Host, second: float, address: str, port: int, truth: Truth, name: str = ""
    ) -> None:
        self.out, self.host, self.second, self.address, self.port = out, host, second, address, port
        self.truth, self.name, self.failed = truth, name, 0
        self.pid = host.next_pid()
        self.head = self.child = f"{host.daemon}[{self.pid}]: "
        if host.verbose:
            domain = ' rdomain ""' if host.version >= 78 else ""
            self.say(f"Connection from {address} port {port} on 10.1.0.{len(host.name)} port 22{domain}")

    def say(self, message: str, tries: int = 0, user: str = "") -> None:
        """This connection's process says it."""
        self.out.append(Said(self.second, self.host, self.head + message, self.truth, tries, user))
        self.second += STEP

    def preauth(self, message: str, tries: int = 0, user: str = "") -> None:
        """The unprivileged child says it through its monitor, which marks it since 5.9."""
        self.say(f"{message} [preauth]" if self.host.version >= 59 else message, tries, user)

    def pam(self, module: str, message: str) -> None:
        """PAM says it; in old systems with its module beside the daemon's name."""
        if not self.host.pam:
            return
        if self.host.version >= 50:
            self.say(f"pam_unix(sshd:{module}): {message}")
        else:
            self.out.append(Said(self.second, self.host, f"sshd(pam_unix)[{self.pid}]: {message}", self.truth))
            self.second += STEP

    @property
    def at(self) -> str:
        """The source as later versions name it at the end of a message."""
        return f"{self.address} port {self.port}" if self.host.version >= 74 else self.address

    # Trying to get in ----------------------------------------------------------------------------------------------

    def unknown(self, user: str, tries: int = 0) -> None:
        """The user does not exist: said once a connection."""
        self.say(f"Invalid user {user} from {self.at}", tries, user)
        if self.host.version < 74:
            self.preauth(f"input_userauth_request: invalid user {user}")

    def password(self, user: str, exists: bool, tries: int, pause: float) -> None:
        """`tries` wrong passwords for one user, `pause` seconds apart."""
        barred = self._barred(user)
        if not self.failed:
            if barred:
                self.say(f"User {user} from {self.address} not allowed because not listed in AllowUsers")
            elif not exists:
                self.unknown(user)
        if not exists:
            self.pam("auth", "check pass; user unknown")
        if not self.failed:
            self.pam("auth", self._pam_failure("authentication failure", user if exists else ""))
        who = user if exists and not barred else f"invalid user {user}"
        method = "keyboard-interactive/pam" if self.host.asks else "password"
        verdict = f"Failed {method} for {who} from {self.address} port {self.port} ssh2"
        self.failed += tries
        self._verdict(verdict, user, exists, pause)
        if tries > 2 and self.host.repeats:
            self.second += pause * (tries - 1)
            self.say(f"message repeated {tries - 1} times: [ {verdict}]", tries - 1, user)
            return
        for _ in range(tries - 1):
            if not exists:
                self.pam("auth", "check pass; user unknown")
            self._verdict(verdict, user, exists, pause)

    def _verdict(self, verdict: str, user: str, exists: bool, pause: float) -> None:
        self.second += pause
        if self.host.asks:
            if exists:
                self.say(f"error: PAM: Authentication failure for {user} from {self.name or self.address}")
            else:
                reason = "User not known to the underlying authentication module"
                self.say(f"error: PAM: {reason} for illegal user {user} from {self.name or self.address}")
        self.say(verdict, 1, user)

    def key(self, user: str, fingerprint: str) -> None:
        """A key that is not the user's."""
        shown = f": {fingerprint}" if self.host.version >= 68 else ""
        self.say(f"Failed publickey for {user} from {self.address} port {self.port} ssh2{shown}", 1, user)

    def accepted(self, user: str, uid: int, method: str, fingerprint: str = "") -> None:
        """The user is in, and a session is opened."""
        shown = ""
        if method == "password" and self.host.asks:
            method = "keyboard-interactive/pam"
        if method == "publickey" and self.host.version >= 63:
            shown = f": {fingerprint}" if self.host.version >= 68 else f": RSA {MD5_FINGERPRINT}"
        self.say(f"Accepted {method} for {user} from {self.address} port {self.port} ssh2{shown}", 1, user)
        whom = f"{user}(uid={uid})" if self.host.version >= 86 else user
        self.pam("session", f"session opened for user {whom} by (uid=0)")
        # From here on the user's own process speaks, but for PAM.
        child = self.host.next_pid()
        self.child = f"{self.host.daemon}[{child}]: "
        if self.host.verbose:
            self.say(f"User child is on pid {child}")

    def inside(self, message: str) -> None:
        """The process of the user who is in says it."""
        self.out.append(Said(self.second, self.host, self.child + message, self.truth))
        self.second += STEP

    # Leaving -------------------------------------------------------------------------------------------------------

    def left(self, user: str) -> None:
        """Somebody who was in goes."""
        if self.host.version >= 70:
            self.inside(f"Received disconnect from {self.address} port {self.port}:11: disconnected by user")
            self.inside(f"Disconnected from {f'user {user} ' if self.host.version >= 76 else ''}{self.at}")
        else:
            self.inside(f"Received disconnect from {self.address}: 11: disconnected by user")
        self.pam("session", f"session closed for user {user}")

    def lost(self, user: str) -> None:
        """The line of somebody who was in goes dead."""
        if self.host.version >= 80:
            self.inside(f"Timeout, client not responding from user {user} {self.at}")
        else:
            self.inside("Timeout, client not responding.")
        self.pam("session", f"session closed for user {user}")

    def bye(self, user: str, exists: bool) -> None:
        """The client gives up and says so."""
        version = self.host.version
        if version < 70:
            self.preauth(f"Received disconnect from {self.address}: 11: Bye Bye")
        else:
            self.preauth(f"Received disconnect from {self.address} port {self.port}:11: Bye Bye")
            self.preauth(f"Disconnected from {self._whom(user, exists)}{self.at}")
        self._more_failures(user if exists else "")

    def closed(self, user: str = "", exists: bool = True, how: str = "closed") -> None:
        """The client goes without a word; `how` is closed or reset."""
        self.preauth(f"Connection {how} by {self._whom(user, exists) if user else ''}{self.at}")
        self._more_failures(user if exists else "")

    def too_many(self, user: str, exists: bool) -> None:
        """The server has had enough of this connection's tries."""
        version = self.host.version
        who = user if exists and not self._barred(user) else f"invalid user {user}"
        if version >= 68:
            attempts = "error: maximum authentication attempts exceeded"
            self.preauth(f"{attempts} for {who} from {self.address} port {self.port} ssh2")
        if version >= 76:
            whom = self._whom(user, exists)
            self.preauth(f"Disconnecting {whom}{self.at}: Too many authentication failures")
        else:
            self.preauth(f"Disconnecting: Too many authentication failures{f' for {who}' if version < 68 else ''}")
        self._more_failures(user if exists else "")
        if self.host.pam and version >= 50 and self.failed > 3:
            self.say(f"PAM service(sshd) ignoring max retries; {self.failed} > 3")

    # Connections without a login -----------------------------------------------------------------------------------

    def silent(self) -> None:
        """The client closes before it says anything."""
        if self.host.version >= 80:
            self.say("error: kex_exchange_identification: Connection closed by remote host", 1)
            self.say(f"Connection closed by {self.at}")
        else:
            self.say(f"Did not receive identification string from {self.at}", 1)

    def babble(self, banner: str) -> None:
        """The client speaks another protocol."""
        if self.host.version >= 80:
            said = f'error: kex_exchange_identification: client sent invalid protocol identifier "{banner}"'
            self.say(said, 1)
            self.say(f"banner exchange: Connection from {self.address} port {self.port}: invalid format")
        else:
            self.say(f"Bad protocol version identification '{banner}' from {self.at}", 1)

    def no_agreement(self, what: str, offer: str) -> None:
        """Client and server share no algorithm."""
        version = self.host.version
        if version >= 70:
            fatal = "" if version >= 75 else "fatal: "
            with_whom = f"Unable to negotiate with {self.address} port {self.port}"
            self.preauth(f"{fatal}{with_whom}: no matching {what} found. Their offer: {offer}", 1)
        else:
            self.preauth("fatal: Unable to negotiate a key exchange method", 1)

    def timed_out(self) -> None:
        """The client neither logs in nor goes."""
        self.second += 120
        if self.host.version >= 98:
            whence = f"connection from {self.address} to 10.1.0.{len(self.host.name)}"
            self.head = f"sshd[{LISTENER_PID}]: "
            self.say(f"Timeout before authentication for {whence}, pid = {self.pid}", 1)
        else:
            self.say(f"fatal: Timeout before authentication for {self.at}", 1)

    def gone(self, how: str = "closed") -> None:
        """The client goes before it names a user: one connection."""
        self.preauth(f"Connection {how} by {self.at}", 1)

    def reverse_mapping(self) -> None:
        """The name of the address does not lead back to it."""
        end = "." if self.host.version >= 74 else " - POSSIBLE BREAK-IN ATTEMPT!"
        name = self.name or "host.example.net"
        self.say(f"reverse mapping checking getaddrinfo for {name} [{self.address}] failed{end}")

    def _pam_failure(self, what: str, user: str) -> str:
        source = self.name if self.name and self.host.names else self.address
        return f"{what}; logname= uid=0 euid=0 tty=ssh ruser= rhost={source} {f' user={user}' if user else ''}"

    def _more_failures(self, user: str) -> None:
        if self.failed > 1 and self.host.pam and self.host.version >= 50:
            plural = "" if self.failed == 2 else "s"
            self.say(self._pam_failure(f"PAM {self.failed - 1} more authentication failure{plural}", user))

    def _whom(self, user: str, exists: bool) -> str:
        if self.host.version < 76:
            return ""
        return f"authenticating user {user} " if exists and not self._barred(user) else f"invalid user {user} "

    def _barred(self, user: str) -> bool:
        return user == "root" and self.host.bars_root


def dropped(out: list[Said], host: Host, second: float, address: str, port: int, number: int, truth: Truth) -> None:
    """Since 9.8 the listener refuses who has failed too often; it is no try."""
    text = f"sshd[{LISTENER_PID}]: drop connection #{number} from [{address}]:{port} on [10.1.0.{len(host.name)}]:22"
    out.append(Said(second, host, f"{text} penalty: failed authentication", truth))
