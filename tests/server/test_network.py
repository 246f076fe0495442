"""The daemon works without any network, and where there is one, nothing of it goes out."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="network namespaces need root on Linux"
)

RUN = [sys.executable, "-m", "tests.server.test_network"]
PROBE = ("192.0.2.9", 9)
"""An address that is for documentation, behind the default route of the namespace."""


def alone(what: str, folder: Path, *setup: str) -> str:
    """Run `what` of this module in a network namespace of its own."""
    from .conftest import picture  # brings torch, which would only slow the processes started here

    (folder / "picture").write_bytes(picture(1))
    script = " && ".join(["ip link set lo up", *setup, 'exec "$@"'])
    command = ["unshare", "--net", "sh", "-ec", script, "sh", *RUN, what]
    # No proxy of this machine: a client that asks one would do so on loopback, unseen.
    kept = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    environment = kept | {
        "PICTURE": str(folder / "picture"),
        "TELLSIGN_STATE": str(folder / "state"),
        "TELLSIGN_DATA": str(folder / "data"),
        "TELLSIGN_CACHE": str(folder / "cache"),
    }
    process = subprocess.run(
        command,
        env=environment,
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=300,
    )
    if "Operation not permitted" in process.stderr:
        pytest.skip("this sandbox makes no network namespaces")
    assert process.returncode == 0, process.stderr
    return process.stdout


def test_loopback_is_enough(tmp_path: Path) -> None:
    assert alone("check", tmp_path) == "checked\n"


def test_nothing_goes_out(tmp_path: Path) -> None:
    """All that leaves by the default route is seen; the packet that is sent at the end shows that
    it would have been. IPv6 is off, as the kernel itself announces its addresses."""
    routed = [
        "ip link add out type veth peer name far",
        "sysctl -qw net.ipv6.conf.out.disable_ipv6=1 net.ipv6.conf.far.disable_ipv6=1",
        "ip addr add 192.0.2.1/24 dev out",
        "ip link set far up",
        "ip link set out up",
        "ip route add default via 192.0.2.254",
        "ip neigh add 192.0.2.254 lladdr 02:00:00:00:00:01 dev out",
        "ip neigh add 192.0.2.9 lladdr 02:00:00:00:00:01 dev out",
    ]
    assert alone("watch", tmp_path, *routed) == "used\n0 packets\n1 packets\n"


def check() -> None:
    from tellsign.server import own

    with own.own(Path(os.environ["TELLSIGN_STATE"]), "--device", "cpu") as daemon:
        running = daemon.ready()
        token = own.token(running, "test")
        assert _post(running.address, token, "/v1/check") == 200
    print("checked", flush=True)


def use() -> None:
    """Start, check, explain, switch the model, stop."""
    from tellsign.server import own

    with own.own(Path(os.environ["TELLSIGN_STATE"]), "--device", "cpu") as daemon:
        running = daemon.ready()
        token = own.token(running, "test")
        for path in ("/v1/check", "/v1/explain"):
            assert _post(running.address, token, path) == 200
        assert running.call("PUT", "/v1/model", {"id": "nothing/like-it"})[0] == 404
        assert running.call("PUT", "/v1/model", {"id": "levit-128s"})[0] == 200
        assert running.call("GET", "/v1/model")[1]["state"] == "ready"
        daemon.process.terminate()
        assert daemon.process.wait(60) == 0
    print("used", flush=True)


def _post(address: str, token: str, path: str) -> int:
    headers, body = {"Authorization": f"Bearer {token}"}, Path(os.environ["PICTURE"]).read_bytes()
    request = urllib.request.Request(address + path, body, headers)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return int(answer.status)


def watch() -> None:
    """Capture on the way out while the daemon is used, and then a packet of our own."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) as capture:
        capture.bind(("out", 3))  # ETH_P_ALL, from here on
        use()
        print(sum(1 for _ in _packets(capture)), "packets", flush=True)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(b"out", PROBE)
        print(sum(1 for _ in _packets(capture)), "packets", flush=True)


def _packets(capture: socket.socket) -> Iterator[bytes]:
    """Those that were captured; the last ones may be on their way."""
    time.sleep(0.2)
    capture.setblocking(False)
    while True:
        try:
            yield capture.recv(2000)
        except BlockingIOError:
            return


if __name__ == "__main__":
    {"check": check, "watch": watch}[sys.argv[1]]()
