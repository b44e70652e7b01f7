"""Which tools the settings offer; known without opening an agent."""

from secondread.agent.config import Settings
from secondread.agent.limits import SEARCHES
from secondread.tools.catalogue import Catalogue, catalogue


def installed_tools(settings: Settings) -> Catalogue:
    """The installed tools under the allowed licences, less the searches when retrieval is off."""
    found = catalogue(settings.allowed_licences)
    return found if settings.retrieval else found.only(tuple(n for n in found.names() if n not in SEARCHES))
