"""What the MCP server costs: start, one warm call, many clients, memory over many calls.

python benchmarks/mcp_server.py [--rounds 5] [--calls 10000] [--clients 64] [--part start,call,clients,memory]

Starts are compared with `python -c "import mcp"`, run in turns with it, so that a slow spell of the machine hits both;
processor time is told beside the wall time. A call is compared with the same call on the runtime in this process. The
client of the parts `start`, `call` and `memory` writes and reads lines itself: the SDK's own client checks every result
against its schema, which costs more than the server does.
"""

import argparse
import base64
import io
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

EXAMPLES = Path(__file__).parents[1] / "examples"
SERVER = [sys.executable, "-m", "secondread.serve.cli.main", "mcp", "--root", str(EXAMPLES), "--per-minute", "100000"]
Row = tuple[str, float, str, float]
"""What, measured, `<=` or `>=`, target."""


class Lines:
    """A server process and a client that speaks to it line by line."""

    def __init__(self, env: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            SERVER, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=env
        )
        self.number = 0
        who = {"name": "benchmark", "version": "1"}
        self.ask("initialize", protocolVersion="2025-11-25", capabilities={}, clientInfo=who)
        self.write({"jsonrpc": "2.0", "method": "notifications/initialized"})

    def write(self, message: dict[str, Any]) -> None:
        """Send one message."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(message).encode() + b"\n")
        self.process.stdin.flush()

    def ask(self, method: str, **params: Any) -> Any:
        """Send a request and wait for its result; an error of any kind ends the benchmark."""
        assert self.process.stdout is not None
        self.number += 1
        self.write({"jsonrpc": "2.0", "id": self.number, "method": method, "params": params})
        answer = json.loads(self.process.stdout.readline())
        if "error" in answer or answer["result"].get("isError"):
            raise SystemExit(f"{method} failed: {json.dumps(answer)[:500]}")
        return answer["result"]

    def call(self, tool: str, **arguments: Any) -> Any:
        """The structured result of a tool."""
        return self.ask("tools/call", name=tool, arguments=arguments)["structuredContent"]

    def rss(self) -> float:
        """Resident memory in MB."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * resource.getpagesize() / 1e6

    def processor(self) -> float:
        """Seconds of processor time so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def close(self) -> None:
        """End the server."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(60)


def own(folder: str) -> dict[str, str]:
    """An environment with folders of its own."""
    return {**os.environ, "SECONDREAD_TRACE_DIR": "none", "SECONDREAD_CACHE_DIR": folder}


def start(rounds: int) -> list[Row]:
    """Start, initialize and list the tools, against importing mcp alone: with and without a kept list of tools."""

    def importing() -> tuple[float, float]:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        started = time.perf_counter()
        subprocess.run([sys.executable, "-c", "import mcp"], check=True)
        wall = time.perf_counter() - started
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    def serving(folder: str) -> tuple[float, float]:
        started = time.perf_counter()
        client = Lines(own(folder))
        assert len(client.ask("tools/list")["tools"]) > 30
        spent = time.perf_counter() - started, client.processor()
        client.close()
        return spent

    alone: list[tuple[float, float]] = []
    served: dict[str, list[tuple[float, float]]] = {"start to list of tools": [], "the very first start": []}
    with tempfile.TemporaryDirectory() as kept:
        serving(kept)
        importing()
        for _ in range(rounds):
            with tempfile.TemporaryDirectory() as empty:
                served["the very first start"].append(serving(empty))
            alone.append(importing())
            served["start to list of tools"].append(serving(kept))
    made: list[Row] = []
    wall, processor = (statistics.median(one[k] for one in alone) for k in (0, 1))
    print(f"import mcp alone: wall {wall:.2f} s, processor {processor:.2f} s (median of {rounds})")
    for said, found in served.items():
        ratios = [statistics.median(one[k] / other[k] for one, other in zip(found, alone, strict=True)) for k in (0, 1)]
        print(f"{said} / import mcp: wall {ratios[0]:.2f}, processor {ratios[1]:.2f}")
        made.append((f"{said} / import mcp, wall", ratios[0], "<=", 1.6))
    return made


def call(rounds: int) -> list[Row]:
    """Milliseconds that one warm call takes longer through the server than on the runtime, its result being kept."""
    from secondread.agent.agent import Agent
    from secondread.agent.config import Settings
    from secondread.tools.runtime.calls import Call

    count = 200
    with tempfile.TemporaryDirectory() as folder, Agent(settings=Settings(trace_dir=None, cache_dir=None)) as agent:
        client = Lines(own(folder))
        image = client.call("film_quality", image="chest.png")["image"]
        here = agent.runtime.store.add(str(EXAMPLES / "chest.png")).ref.id
        wanted = [Call(tool="film_quality", args={"image": here})]
        served, direct = [], []
        processor = 0.0
        for number in range(rounds * count):
            started = time.perf_counter()
            client.call("film_quality", image=image)
            between = time.perf_counter()
            agent.runtime.submit(agent.runtime.run(wanted)).result()
            ended = time.perf_counter()
            if number == 20:
                processor = client.processor()
            if number >= 20:
                served.append(between - started)
                direct.append(ended - between)
        each = 1e3 * (client.processor() - processor) / len(served)
        client.close()
    print(f"processor time of the server per call: {each:.2f} ms, the runtime's share included")
    through, alone = 1e3 * statistics.median(served), 1e3 * statistics.median(direct)
    print(f"warm call: {through:.2f} ms through the server, {alone:.2f} ms on the runtime (n = {len(served)})")
    return [("warm call overhead, ms (median)", through - alone, "<=", 5.0)]


def clients(number: int) -> list[Row]:
    """Failed calls of so many SDK clients at the same time over HTTP, half of them of the legacy revision."""
    import re

    import anyio
    import httpx2
    from mcp import Client
    from mcp.client.streamable_http import streamable_http_client

    failed, done = 0, 0

    async def one(url: str, mode: str) -> None:
        nonlocal failed, done
        try:
            async with (
                httpx2.AsyncClient(timeout=600, verify=False) as http,
                Client(streamable_http_client(url, http_client=http), mode=mode) as client,
            ):
                for tool, given in (
                    ("list_images", {}),
                    ("film_quality", {"image": "chest.png"}),
                    ("kg_concept", {"term": "cardiomegaly"}),
                ):
                    failed += (await client.call_tool(tool, given)).is_error
                    done += 1
        except Exception as error:  # whatever went wrong, it is counted
            failed += 1
            print(f"  {type(error).__name__}: {str(error)[:200]}")

    async def every(url: str) -> None:
        async with anyio.create_task_group() as group:
            for index in range(number):
                group.start_soon(one, url, "auto" if index % 2 else "legacy")

    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(
            [*SERVER, "--http", "--port", "0"], env=own(folder), stderr=subprocess.PIPE, text=True
        )
        assert process.stderr is not None
        url = re.search(r"http://\S+", process.stderr.readline())
        assert url is not None
        started = time.perf_counter()
        anyio.run(every, url[0])
        seconds = time.perf_counter() - started
        process.terminate()
        process.wait(60)
    print(f"{number} clients at the same time: {done} calls in {seconds:.1f} s, {failed} failed")
    return [
        (f"failed calls of {number} clients", float(failed), "<=", 0.0),
        ("their calls done", float(done), ">=", 3.0 * number),
    ]


def memory(calls: int) -> list[Row]:
    """Resident memory after all calls against that after a fifth of them; every fifth call brings a new image."""
    import numpy as np
    from PIL import Image

    random = np.random.default_rng(0)

    def fresh() -> str:
        buffer = io.BytesIO()
        Image.fromarray(random.integers(0, 255, (96, 96), np.uint8)).save(buffer, "PNG")
        return "base64:" + base64.b64encode(buffer.getvalue()).decode()

    marks: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        client = Lines(own(folder))
        for number in range(1, calls + 1):
            match number % 5:
                case 0:
                    client.call("intensity_statistics", image=fresh())
                case 1:
                    client.call("kg_concept", term="cardiomegaly")
                case 2:
                    client.call("list_images")
                case 3:
                    client.call("graph_facts", concepts=["cardiothoracic_ratio"])
                case _:
                    client.call("film_quality", image="chest.png")
            if number % (calls // 10) == 0:
                marks.append(client.rss())
        client.close()
    print(f"resident MB after each tenth of {calls} calls: {', '.join(f'{m:.0f}' for m in marks)}")
    return [("resident memory, all calls / a fifth of them", marks[-1] / marks[1], "<=", 1.1)]


def main() -> int:
    """Run the parts and print what they measured against the targets."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--calls", type=int, default=10_000)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--part", default="start,call,clients,memory")
    parser.add_argument("--json", type=Path)
    print(f"load average before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")
    args = parser.parse_args()
    parts = {
        "start": lambda: start(args.rounds),
        "call": lambda: call(args.rounds),
        "clients": lambda: clients(args.clients),
        "memory": lambda: memory(args.calls),
    }
    rows = [row for name in args.part.split(",") for row in parts[name]()]
    for what, value, way, target in rows:
        met = value <= target if way == "<=" else value >= target
        print(f"{what}: {value:.2f} (target {way} {target:g}) {'met' if met else 'MISSED'}")
    if args.json:
        args.json.write_text(json.dumps([dict(zip(("what", "value", "way", "target"), r, strict=True)) for r in rows]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
