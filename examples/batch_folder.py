"""Ask two questions about every study of a folder and print one line for each as it gets done.

python examples/batch_folder.py [FOLDER]
"""

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path

from secondread import Agent
from secondread.agent.mapping import Asked, Subject
from secondread.imaging.study.scan import open_studies

RATIO = Asked("What is the cardiothoracic ratio?", id="ratio")
ENLARGED = Asked("Is the heart enlarged?", id="enlarged")


def subjects(folder: Path) -> Iterator[Subject]:
    """The studies of the folder; a film of unknown patient and date is a study of its own."""
    for study in open_studies(folder):
        yield Subject(study, name=study.key)


async def main(folder: Path) -> None:
    """Print the answers."""
    with Agent() as agent:
        async for reading in agent.map(subjects(folder), [RATIO, ENLARGED], ordered=False):
            print(reading.subject.name)
            for name, outcome in reading.outcomes.items():
                print(f"  {name}: {outcome.answer.text if outcome.answer else outcome.error}")


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent))
