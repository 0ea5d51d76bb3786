import os
import shutil
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from arguments import Placement
from runtime_process import Frame, RuntimeDied, RuntimeFailure, RuntimeProcess
from supervision import Supervised

NODE = shutil.which("node") or "node"

# Answers like runtime/platform/framed.ts, and behaves as the request says.
RUNTIME = """
let held = Buffer.alloc(0);
const send = (header, payload = Buffer.alloc(0)) => {
  const text = Buffer.from(JSON.stringify(header));
  const lengths = Buffer.alloc(8);
  lengths.writeUInt32BE(text.length, 0);
  lengths.writeUInt32BE(payload.length, 4);
  process.stdout.write(Buffer.concat([lengths, text, payload]));
};
if (process.env.BROKEN) throw new Error("no such module");
process.stdin.on("data", (chunk) => {
  held = Buffer.concat([held, chunk]);
  while (held.length >= 8 && held.length >= 8 + held.readUInt32BE(0) + held.readUInt32BE(4)) {
    const [header, payload] = [held.readUInt32BE(0), held.readUInt32BE(4)];
    const request = JSON.parse(held.toString("utf8", 8, 8 + header));
    const body = held.subarray(8 + header, 8 + header + payload);
    held = held.subarray(8 + header + payload);
    if (request.type === "exit") process.exit(request.code);
    if (request.type === "abort") process.abort();
    if (request.type === "hang") continue;
    if (request.type === "fail") send({ error: "the bucket is gone" });
    else if (request.type === "count") {
      for (let n = 1; n <= request.to; n++) send({ n, more: n < request.to });
    } else send({ n: request.n ?? 0, pid: process.pid }, body);
  }
});
"""


@pytest.fixture
def placement(tmp_path: Path) -> Placement:
    script = tmp_path / "runtime.js"
    script.write_text(RUNTIME)
    return Placement(NODE, str(script), (("A", "1"),))


@pytest.fixture
def process(placement: Placement) -> Iterator[RuntimeProcess]:
    result = RuntimeProcess(placement)
    yield result
    result.close()


def numbered(count: int, deadly: Sequence[int] = (), kind: str = "exit") -> list[dict[str, Any]]:
    return [{"type": kind, "code": 3} if n in deadly else {"type": "echo", "n": n} for n in range(count)]


def test_frames_go_and_come_whole(process: RuntimeProcess) -> None:
    payload = os.urandom(3_000_000)
    assert process.ask({"type": "echo", "n": 7}, payload).payload == payload
    assert [frame.header["n"] for frame in process.ask_all(numbered(50))] == list(range(50))
    assert [frame.header["n"] for frame in process.stream({"type": "count", "to": 5})] == [1, 2, 3, 4, 5]
    assert process.ask({"type": "echo", "n": 9}).header["n"] == 9


def test_deaths_and_failures_say_how(placement: Placement) -> None:
    with pytest.raises(RuntimeFailure, match="the bucket is gone"):
        RuntimeProcess(placement).ask({"type": "fail"})
    with pytest.raises(RuntimeDied, match="exited with 3"):
        RuntimeProcess(placement).ask({"type": "exit", "code": 3})
    with pytest.raises(RuntimeDied, match="ended by signal 6"):
        RuntimeProcess(placement).ask({"type": "abort"})
    with pytest.raises(RuntimeDied, match="no answer in 1 s"):
        RuntimeProcess(placement, patience=1).ask({"type": "hang"})


def test_a_runtime_that_cannot_run_is_no_fault_of_an_image(placement: Placement) -> None:
    with pytest.raises(RuntimeFailure, match="does not run: it exited with 1"):
        RuntimeProcess(Placement(NODE, placement.runtime, (("BROKEN", "1"),)))
    with pytest.raises(RuntimeFailure, match="does not start"):
        RuntimeProcess(Placement("/no/such/node", placement.runtime, ()))


def test_the_process_ends_with_whoever_started_it(process: RuntimeProcess) -> None:
    pid = process.pid
    process.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


@pytest.mark.parametrize("deadly", [(), (0,), (40,), (17,), (3, 4), (0, 1, 2, 3, 4, 5), (5, 20, 39)])
@pytest.mark.parametrize("kind", ["exit", "abort"])
def test_what_kills_the_process_is_singled_out_and_nothing_else_is_lost(
    placement: Placement, deadly: tuple[int, ...], kind: str
) -> None:
    supervised = Supervised(lambda: RuntimeProcess(placement))
    answers = dict(supervised.ask_each(numbered(41, deadly, kind)))
    supervised.close()
    assert sorted(answers) == list(range(41))
    for position, answer in answers.items():
        if position in deadly:
            assert isinstance(answer, RuntimeDied)
        else:
            assert isinstance(answer, Frame)
            assert answer.header["n"] == position


def test_a_process_that_is_killed_from_outside_costs_no_image(placement: Placement) -> None:
    supervised = Supervised(lambda: RuntimeProcess(placement))
    pids = set()
    answers = {}
    for position, answer in supervised.ask_each(numbered(60)):
        assert isinstance(answer, Frame)
        answers[position] = answer
        pids.add(answer.header["pid"])
        if len(answers) in (10, 30):
            os.kill(answer.header["pid"], signal.SIGKILL)
    supervised.close()
    assert sorted(answers) == list(range(60))
    assert len(pids) > 1


def test_an_attempt_gives_the_last_frame_and_leaves_no_dead_process_behind(placement: Placement) -> None:
    supervised = Supervised(lambda: RuntimeProcess(placement))
    assert supervised.attempt({"type": "count", "to": 5}).header["n"] == 5
    with pytest.raises(RuntimeDied, match="exited with 3"):
        supervised.attempt({"type": "exit", "code": 3})
    with pytest.raises(RuntimeFailure, match="the bucket is gone"):
        supervised.attempt({"type": "fail"})
    assert supervised.attempt({"type": "count", "to": 2}).header["n"] == 2
    supervised.close()


def test_a_failure_of_the_runtime_is_raised_and_not_taken_for_a_bad_image(placement: Placement) -> None:
    supervised = Supervised(lambda: RuntimeProcess(placement))
    with pytest.raises(RuntimeFailure, match="the bucket is gone"):
        list(supervised.ask_each([{"type": "echo"}, {"type": "fail"}]))
    supervised.close()
