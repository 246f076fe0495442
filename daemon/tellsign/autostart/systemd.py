"""Linux: a user unit of systemd for the daemon, and an autostart entry of the desktop for the tray.

The tray needs the desktop's display and bus, the daemon none of it: it is kept from nearly
everything. Quoting is that of systemd.syntax(7) and of the Desktop Entry Specification 1.5.
"""

import os
import re
import subprocess
from contextlib import suppress
from pathlib import Path

from tellsign.autostart import entry
from tellsign.autostart.entry import AutostartError, Start

HOW = "systemd starts the daemon and the desktop its tray icon"
MARK = "# Made by `tellsign autostart on`."
SERVICE = "tellsign.service"
OWN = (Path("/tmp"), Path("/var/tmp"))  # noqa: S108
"""Folders of which the unit has its own (PrivateTmp): what lies in the machine's is not there."""

# Not here, though usual: MemoryDenyWriteExecute (torch and OpenVINO compile while they run),
# PrivateDevices (GPUs are devices), PrivateNetwork (loopback would be another one). ~/.nv is where
# CUDA keeps what it has compiled for a GPU that is newer than torch.
UNIT = """\
{mark}
[Unit]
Description=Tellsign, which marks AI-made pictures while you browse
StartLimitIntervalSec=60
StartLimitBurst=3

[Service]
Type=exec
{environment}ExecStart={command}
Restart=on-failure
RestartSec=5
KillMode=mixed
UMask=0077

NoNewPrivileges=yes
PrivateTmp=yes
ProtectSystem=strict
ProtectHome=read-only
ProtectKernelTunables=yes
ProtectControlGroups=yes
ReadWritePaths={folders} -%h/.nv
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
SystemCallArchitectures=native
MemoryMax=75%
TasksMax=1024
OOMPolicy=continue

[Install]
WantedBy=default.target
"""

DESKTOP = """\
{mark}
[Desktop Entry]
Type=Application
Version=1.5
Name=Tellsign
Comment=Marks AI-made pictures while you browse
Exec={command}
Terminal=false
"""


def unit(start: Start) -> str:
    return UNIT.format(
        mark=MARK,
        environment="".join(
            f"Environment={_word(f'{name}={value}')}\n" for name, value in start.environment.items()
        ),
        command=" ".join(_word(part).replace("$", "$$") for part in [*start.program, "serve"]),
        # The dash: a cache that somebody has deleted must not keep the daemon from starting.
        folders=" ".join(_word(f"-{folder}") for folder in start.folders),
    )


def desktop(start: Start) -> str:
    variables = [f"{name}={value}" for name, value in start.environment.items()]
    command = [*(["env", *variables] if variables else []), *start.program, "tray"]
    return DESKTOP.format(mark=MARK, command=" ".join(map(_argument, command)))


def check(start: Start) -> None:
    """Raises: AutostartError if the service would not see the program or its folders."""
    for places, todo in (
        (start.lies_in, "Install Tellsign elsewhere, such as in your home folder, and run"),
        (start.folders, "Set another one by TELLSIGN_STATE, TELLSIGN_CACHE or so, and run"),
    ):
        for place in places:
            if any(path.is_relative_to(own) for path in (place, place.resolve()) for own in OWN):
                raise AutostartError(
                    f"A service of systemd does not see {place}, because its /tmp and /var/tmp are "
                    f"its own. {todo} `tellsign autostart on` again."
                )


def turn_on(start: Start) -> None:
    check(start)
    _systemctl("daemon-reload")  # before anything is written: is the manager there?
    for folder in start.folders:
        # What is not there when the daemon starts stays read-only for it.
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    entry.write(_unit_path(), unit(start), MARK)
    entry.write(_desktop_path(), desktop(start), MARK)
    _systemctl("daemon-reload")
    _systemctl("enable", SERVICE)


def turn_off() -> None:
    """Also where the manager is not there (any more)."""
    entry.remove(_desktop_path(), MARK)
    entry.remove(_unit_path(), MARK)
    _link().unlink(missing_ok=True)
    with suppress(AutostartError):  # where there is no manager, nothing has to be told to it
        _systemctl("daemon-reload")


def is_on() -> bool:
    return _link().is_symlink() and entry.is_own(_unit_path(), MARK)


def _config() -> Path:
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")


def _unit_path() -> Path:
    return _config() / "systemd/user" / SERVICE


def _link() -> Path:
    """What `systemctl enable` makes."""
    return _unit_path().parent / "default.target.wants" / SERVICE


def _desktop_path() -> Path:
    return _config() / "autostart/tellsign-tray.desktop"


def _systemctl(*arguments: str) -> None:
    try:
        done = subprocess.run(  # noqa: S603
            ["systemctl", "--user", "--quiet", *arguments],  # noqa: S607
            capture_output=True,
            text=True,
            timeout=60,
        )
        why = (done.stderr.strip().splitlines() or [""])[0] if done.returncode else None
    except (OSError, subprocess.TimeoutExpired) as error:
        why = str(error)
    if why is not None:
        raise AutostartError(
            f"systemd's user manager can't be used here ({why}). Have your desktop or a login "
            "script start `tellsign serve` instead."
        )


def _word(text: str) -> str:
    """A quoted word of a unit file."""
    for char, escaped in (("\\", "\\\\"), ('"', '\\"'), ("%", "%%"), ("\n", "\\n"), ("\t", "\\t")):
        text = text.replace(char, escaped)
    return f'"{text}"'


def _argument(text: str) -> str:
    """A quoted argument of `Exec`: quoted as such, then escaped as any string of the file."""
    quoted = re.sub(r'(["`$\\])', r"\\\1", text).replace("%", "%%")
    for char, escaped in (("\\", "\\\\"), ("\n", "\\n"), ("\t", "\\t")):
        quoted = quoted.replace(char, escaped)
    return f'"{quoted}"'
