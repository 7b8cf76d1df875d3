"""Run one target: guided by coverage if atheris is installed, else at random.

A process of its own, because libFuzzer ends the process that it runs in. Arguments: target,
seconds, folder for finds, and "random" for a run that is not guided: it is faster, and begins with
the inputs that guided runs have kept.
"""

from __future__ import annotations

import random
import sys
import time
import traceback
import zlib
from pathlib import Path

from . import seeds

_LONGEST = 700  # bytes of an input: several frames, or a whole request
_MOST_FINDS = 10  # of one run


def main(target: str, seconds: int, folder: Path, how: str = "guided") -> None:
    """Fuzz. The last line on stderr has the number of inputs."""
    kept = folder / target
    kept.mkdir(parents=True, exist_ok=True)
    for name, data in seeds.load(target):
        (kept / name).write_bytes(data)
    try:
        import atheris
    except ImportError:
        print("atheris is not installed: inputs are random, not guided", file=sys.stderr)
        how = "random"
    if how == "random":
        _at_random(target, seconds, folder)
        return
    # Not the loops over bytes: they would cost nearly all the time, and have tests of their own.
    with atheris.instrument_imports(
        include=["wsserver", "fleet"], exclude=["wsserver.core.portable"]
    ):
        from . import bodies, core
    checks = {**core.CHECKS, **bodies.CHECKS}
    options = [
        *(f"-max_total_time={seconds}", f"-max_len={_LONGEST}", "-timeout=20"),
        *("-rss_limit_mb=1500", "-print_final_stats=1", "-verbosity=1"),
        f"-artifact_prefix={folder}/{target}-",
    ]
    atheris.Setup([sys.argv[0], *options, str(kept)], checks[target])
    atheris.Fuzz()


def _at_random(target, seconds, folder):
    """Try random inputs. A find does not end the run."""
    from . import bodies, core

    check = {**core.CHECKS, **bodies.CHECKS}[target]
    corpus = [path.read_bytes() for path in sorted((folder / target).iterdir())]
    chance = random.Random()
    end = time.monotonic() + seconds
    count = finds = 0
    while time.monotonic() < end and finds < _MOST_FINDS:
        data = mutate(chance, chance.choice(corpus), corpus)
        count += 1
        try:
            check(data)
        except Exception:
            finds += 1
            path = folder / f"{target}-crash-{zlib.crc32(data):08x}"
            path.write_bytes(data)
            print(f"{path}:\n{traceback.format_exc()}", file=sys.stderr)
    print(f"Done {count} runs", file=sys.stderr)
    if finds:
        sys.exit(f"{finds} finds")


def mutate(chance: random.Random, data: bytes, corpus: list[bytes]) -> bytes:
    """Return the data with a few random changes."""
    mutant = bytearray(data)
    for _ in range(chance.randrange(1, 6)):
        at = chance.randrange(len(mutant) + 1)
        kind = chance.randrange(5)
        if kind == 0 and at < len(mutant):
            mutant[at] = chance.randrange(256)
        elif kind == 1 and at < len(mutant):
            mutant[at] ^= 1 << chance.randrange(8)
        elif kind == 2:
            mutant[at:at] = chance.randbytes(chance.randrange(1, 9))
        elif kind == 3:
            del mutant[at : at + chance.randrange(1, 9)]
        else:
            other = chance.choice(corpus)
            start = chance.randrange(len(other) + 1)
            mutant[at:at] = other[start : start + chance.randrange(1, 60)]
    return bytes(mutant[:_LONGEST])


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]), *sys.argv[4:])
