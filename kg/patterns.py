"""Wordings by which the kind of a question shows. All match lower-case text."""

import re


def _any(*parts: str) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{p})" for p in parts))


IDENTITY = _any(
    r"\bname\b",
    r"\bwho (is|was|are)\b",
    r"\bhow old\b",
    r"\b(what|which) age\b",
    r"\bage of\b",
    r"\bpatient'?s age\b",
    r"\bdate of birth\b",
    r"\bbirth(day|date)\b",
    r"\b(gender|sex)\b",
    r"\bmale\b",
    r"\bfemale\b",
    r"\bwom[ae]n\b",
    r"\ba man\b",
    r"\bman or\b",
    r"\b(which|what) hospital\b",
    r"\bwhen was\b",
    r"\bwhere was\b",
    r"\baddress\b",
    r"\bid number\b",
    r"\bpatient id\b",
    r"\bethnic",
    r"\b(his|her|patient'?s?) weight\b",
    r"\bhow tall is (he|she|the patient)\b",
    r"\bhow much does (he|she|the patient) weigh\b",
    r"\bphone\b",
    r"\bsmok(e|er|es|ing)\b",
)
CHANGE = _any(
    r"\bsince\b",
    r"\bchang(e|es|ed|ing)\b(?! of the subject)",
    r"\bgr(own|ew|owing)\b(?![ -]?up)",
    r"\bprogress",
    r"\bworsen",
    r"\bimprov(e|ed|ing|ement)\b",
    (
        r"\b(previous|prior|earlier|last|old|older|baseline) (film|exam|study|image|time|week|"
        r"month|year|scan|x-?ray|radiograph|one|visit|examination)s?\b"
    ),
    (
        r"\b(get|getting|got|become|became|becoming) (any )?(better|worse|bigger|larger|"
        r"smaller|wider)\b"
    ),
    r"\bfollow.?up\b",
    r"\bunchanged\b",
    r"\bstable\b",
    r"\bnew(ly)? (?!born)\w+",
    r"\bany longer\b",
    r"\bresolved\b",
    r"\byesterday\b",
    r"\bthan before\b",
    r"\binterval (change|increase|decrease|growth)\b",
    r"\b(bigger|larger|smaller|worse|better) now\b",
    r"\blast time\b",
)
THERAPY = _any(
    r"\btreat(ment|ed|ing)?\b",
    r"\btherap(y|ies)\b",
    r"\bdrugs?\b",
    r"\bmedicat",
    r"\bprognosis\b",
    r"\blife expectancy\b",
    r"\bwhat should (i|we|be) (do|done)\b",
    r"\bsurvi(ve|val)\b",
    r"\bgoing to die\b",
    r"\bdos(e|age) of\b",
    r"\boperat(e|ion)\b",
    r"\bhow long (will|does|has)\b",
)
LISTING = _any(
    (
        r"\bwhat (else )?(can|could|do|are) you (able to )?(measure|answer|tell|do|judge|say|"
        r"assess|see|find|check|offer|support|detect)"
    ),
    r"\bwhat (can|could) be (measured|answered|judged|assessed|said|checked|seen|found)\b",
    (
        r"\b(which|what) (measurements?|measures?|tools?|questions?|values?|findings?|"
        r"things) (are|can|could|do|may|is)\b"
    ),
    r"\bcapabilit(y|ies)\b",
    r"\bwhat is (possible|available|measurable)\b",
    r"\blist (all |the |your |of )*(measurements?|tools?|findings?|values?|everything|what)",
    r"\b(help|options)\W*$",
    r"\bwhat (do|can) you know\b",
    r"\bmeasurable (here|on this)\b",
    r"\bwhat can i ask\b",
    r"\bwhat questions\b",
    r"\btell me what you (can|see)\b",
    r"\bshow (me )?(all|every|your) (measurements?|tools?|values?)\b",
)
DESCRIBE = _any(
    r"\bdescribe (this|the|what)\b",
    r"\bwhat('s| is| does)? (visible|seen|shown|(this|the) (film|image|picture) show)",
    r"\bwhat do(es)? (it|this|the (film|image|picture|x-?ray)) show\b",
)
"""The question asks for a description; where it names nothing, what can be measured is the honest reply."""
IMAGE_KIND = _any(
    r"\b(what|which)( \w+){0,2} (modality|imaging technique|imaging method)\b",
    r"\b(what|which) (kind|type|sort) of (an? )?(medical |radiological |diagnostic )?"
    r"(image|picture|scan|imaging|examination|exam|study|film|x-?ray)\b",
    r"\bmodality (is|was|of|used|does)\b",
    r"^(imaging )?modality$",
    r"\bhow was (this|the) (image|picture|film|scan) (made|taken|acquired|obtained)\b",
    r"\b(what|which) (is|does) (this|the) (image|picture) (of|taken with)$",
)
"""The question asks how the picture was made."""
PLANE = _any(
    r"\b(what|which)( (\w+|is the))? plane\b", r"^(imaging )?plane$", r"\bplane of (the )?(image|section|slice)\b"
)
"""The question asks in which plane of the patient the image lies."""
CONTRAST_AGENT = _any(
    r"\bcontrast[- ](agent|medium|media|material|enhanc\w+|filled|study|dye|administ\w+|given|used|uptake)\b",
    r"\b(iv|i\.v\.|oral|intravenous|rectal|with|without|non|post|pre)[- ]?contrast\b",
    r"\bcontrast (is |was |are )?(in|within|inside|given|seen|present|visible|extravasation)\b",
)
"""The question is about a contrast agent, not about the grey of the picture."""
_PICTURES = r"(images?|films?|cases?|radiographs?|x-?rays?|scans?|pictures?|patients|stud(y|ies)|examples?|volumes?)"
SIMILAR = _any(
    rf"\b(similar|comparable|resembling|alike|nearest|closest|look-?alike)\b.{{0,30}}\b{_PICTURES}\b",
    rf"\b(find|show|search|retrieve|list|get|any|other|which)\b.{{0,40}}\b{_PICTURES}\b.{{0,30}}"
    r"\b(similar|resembl\w+|alike|(look(s|ing)? )?like (this|these|that|it))\b",
)
"""The question asks for other images that look like this one."""
STORED = _any(
    r"\b(find|show|list|search|retrieve|get|any|other|which|do (we|you) have|are there)\b.{0,30}"
    r"\b(images|films|cases|radiographs|x-?rays|scans|patients|studies|examples)\b.{0,20}"
    r"\b(with(out)?|show(s|n|ing)?|having|labell?ed|(positive|negative) for|that (have|show)|of)\b",
)
"""The question asks for stored images that show something."""
LITERATURE = _any(
    r"\b(literature|publications?|published|textbooks?|guidelines?|journal|peer.reviewed)\b",
    (
        r"\b(papers?|articles?|passages?|references?|citations?|sources?) (say|says|tell|state|recommend|about|on|for|"
        r"that)\b"
    ),
    r"\b(find|search|cite|quote|look up|show)\b.{0,30}\b(papers?|articles?|passages?|references?|texts?)\b",
)
"""The question asks what texts say."""
ZOOM = _any(
    r"^(now |then |next )?(zoom|magnify|enlarge)\b(?! heart)",
    r"\bzoom(ed)? (in|view|on|into)\b",
    r"\b(a )?close-?up (of|view)\b",
    r"\bshow (me )?(the |a )?.{0,40}\b(closer|larger|bigger|magnified|enlarged view)\b",
)
WINDOW = _any(
    r"\b(lungs?|mediastin\w+|abdom\w+|liver|bone|bony|brain|subdural|stroke|spin[ea]l?|soft.tissue) window\b",
    r"\bwindow (for|of) (the )?(lungs?|mediastinum|abdomen|liver|bones?|brain|spine)\b",
    r"\bwindow\b.{0,30}\b(centre|center|level|width)\b",
)
CONTRAST = _any(
    r"\b(increase|enhance|improve|more|better|stretch|boost|equali[sz]e|adjust|raise)\b.{0,25}\bcontrast\b"
    r"(?! (agent|medi))"
)
"""The question asks to show the image otherwise."""
STUDY = _any(
    r"\b(what|which|how many|list|show|describe|name)\b.{0,40}\b(series|sequences|acquisitions|stacks)\b",
    (
        r"\bwhat('s| is| was|s)? (contained |included |there )?(in|on|inside) (this|the) "
        r"(study|folder|examination|exam|zip)\b"
    ),
    r"\b(contents?|inventory|overview|summary) of (this|the) (study|folder|examination|exam)\b",
    r"\bwhat does (this|the) (study|folder|examination|exam) (contain|hold|include)\b",
    r"\bdescribe (this|the) (study|folder|examination|exam)\b",
)
"""The question is about what was handed over, not about what it shows."""
LIMITS = _any(
    (
        r"\bwhy (does|do|is|are|can|should|would|must|might)\b.*\b(ap|supine|portable|bedside|"
        r"lying|inspiration|expiration|rotat\w+|tilt\w*|child\w*|newborns?|neonates?|"
        r"anteroposterior|film|view|ratio|ctr)\b"
    ),
    r"\b(un)?reliab",
    r"\blimit(s|ed|ation|ations)\b",
    r"\bpitfalls?\b",
    r"\bmisleading\b",
    r"\bmagnif",
    r"\bdistort",
    r"\bwhat (affects|influences|disturbs|falsifies)\b",
    (
        r"\b(does|do|can|could) .*\b(make|makes|making)\b.*\b(bigger|larger|enlarged|big|wider|"
        r"smaller)\b"
    ),
    r"\b(affect|influence)s?\b",
    r"\bvalid (on|for|in)\b",
    r"\btrust\b",
)
CAUSES = _any(
    r"\bcaus(e|es|ed|ing)\b",
    r"\bwhy (would|could|might|can|is|are|does|do)\b",
    r"\breasons?\b",
    r"\bdue to\b",
    r"\bdifferential",
    r"\b(look|looks|looking) like\b",
    r"\bmimic",
    r"\bleads? to\b",
    r"\bresult of\b",
    r"\bconfused with\b",
    r"\bwhat (diseases?|conditions?|disorders?|illness(es)?)\b",
    r"\b(what|which)\b.{0,30}\b(explains?|account(s|ed)? for|underl(y|ies|ie))\b",
    r"\bddx\b",
    r"\bdifferentials?\b",
)
SUPPORT = _any(
    r"\b(what|which|anything|does|do|is there)\b.{0,40}\b(supports?|contradicts?|favou?rs?)\b(?! devices?)",
    r"\b(speaks?|argues?|counts?|points?|evidence|findings?)\b.{0,20}\b(for|against|towards?|in favou?r of)\b.{0,40}"
    r"\b(here|on this|in this)\b",
    r"\b(speaks?|argues?|counts?)\b.{0,10}\b(for|against)\b",
)
"""The question asks what was found for or against something."""
RELATION = _any(
    r"\b(how|what|why)\b.{0,80}\b(related|relations?|relationship|connected|connections?|connect|linked|links?)\b",
    r"\b(relation|relationship|connection|link)s? (of|between)\b",
)
"""The question asks how several things are related."""
HERE = _any(r"\b(here|this|these|his|her)\b", r"\b(on|in) (the|my) (film|image|picture|x-?ray|scan|radiograph)\b")
"""The question is about the image at hand."""
MEANING = _any(
    (
        r"\bwhat (does|do|would|could|can|might|may|did) .*\b(suggest|mean|indicate|imply|"
        r"point|signify|tell|say|hint|stand)"
    ),
    r"\bmeaning of\b",
    r"\bsignifican(ce|t)\b",
    r"\bimplications?\b",
    r"\bconsequences?\b",
    r"\bconcerning\b",
    r"\b(dangerous|serious|harmful)\b",
    r"\b(does|do|would|could|can|may|might) (an? |the )?.*\b(mean|indicate|suggest|imply)\b",
    r"\bassociated with\b",
    r"\brelat(ed|ion)\b",
    r"\bsigns? of what\b",
    r"\bproves?\b",
)
HOW_ASSESSED = _any(
    (
        r"\bhow (is|are|was|were|do|does|can|would|should) .*\b(measur|assess|diagnos|defin|"
        r"calculat|determin|comput|judg|recogni[sz]|detect|see|tell|seen|identif|obtained|work)"
    ),
    r"\b(normal|upper|reference|usual) (range|limits?|values?|threshold) (of|for|is)\b",
    r"\bthreshold\b",
    r"\bcut.?off\b",
    r"\bcriteri(a|on)\b",
    r"\bwhat('s| is| are) (a |an |the )?normal (ctr|cardio|heart|ratio|range|value)",
    r"\bhow (large|big|high|wide) (is|should|may) (a |an )?normal\b",
    r"\bdefinition\b",
    r"\bwhat('s| is) (the )?(upper )?limit\b",
    r"\bconsidered (normal|enlarged|abnormal)\b",
    r"\bwhen is (a|the) heart\b",
    r"\bneeded (to|for)\b",
)
KNOWLEDGE = _any(
    r"\bexplain\b",
    r"\bdefine\b",
    r"\bwhat('s| is| are) (an?|meant by) ",
    r"\bdifference between\b",
    r"\btell me about\b",
    (
        r"\bwhat('s| is| are) (?!the\b|this|that|there|visible|seen|his|her|wrong|its|your|my|"
        r"my\b)(?!.*\b(of the|in this|on this|here)\b)\w+"
    ),
    r"\bwhat do(es)? .+ do$",
    r"\bwhat kind of\b",
    r"\bhow does\b",
    r"\bwhy\b",
    r"\bgeneral(ly)?\b",
    r"\bfunction of\b",
)
LOCATION = _any(
    r"\bwhere('?s)?\b",
    r"^show\b",
    r"\bshow (me|us)\b",
    r"\bcan you show\b",
    r"\blocat(e|ed|ion|ions)\b",
    r"\bpoint (to|out|at)\b",
    r"\boutline\b(?! of)",
    r"\bmark\b",
    r"\bhighlight\b",
    r"\bposition of\b",
    r"\bbounding box",
    r"\b(on|in) (what|which) (part|side|area|region|half)\b",
    r"\b(which|what) side\b",
    r"\bfind the\b",
    r"\bcoordinates\b",
    r"\bdraw\b",
    r"\bplace of\b",
    r"\bcircle\b",
)
COMPARISON = _any(
    r"\bcompar(e|ed|ing|ison)\b",
    r"\b(larg|bigg|small|wid|narrow|tall|short|high|low|broad|great|long)er\b",
    r"\bsymmetr",
    r"\basymmetr",
    r"\b(same|equal|equally|similar|different|unequal)\b",
    r"\bdiffer(ence)?s?\b",
    r"\bvs\b",
    r"\bversus\b",
    r"\bratio of\b",
    r"\bas (big|large|wide|tall|high) as\b",
    r"\b(larg|bigg|small|wid)est\b",
)
VALUE = _any(
    (
        r"\bhow (wide|big|large|high|broad|many|much|tall|long|tilted|rotated|strongly|strong|"
        r"far|small|crooked)\b"
    ),
    r"\bwhat('s| is| are|s)\b",
    r"\bmeasure\b",
    r"\bcalculate\b",
    r"\bcompute\b",
    r"\bgive\b",
    r"\btell me\b",
    r"\bdetermine\b",
    r"\bestimate\b",
    r"\bvalue\b",
    r"\bget\b",
    r"\breport\b",
    r"\b(i|we) (need|want|would like)\b",
    r"\bin (mm|cm|millimet\w+|centimet\w+|pixels?|degrees?)\b",
    r"\bdegrees?\b",
    r"\bnumber\b",
    r"\bto know\b",
    r"\bquantify\b",
    r"\bwhich\b.*\bratio\b",
    r"\bat what\b",
    r"\bangle\b",
    r"\bexact\b",
)
PRESENCE = _any(
    (
        r"^(is|are|was|were|does|do|did|has|have|can|could|any|no|signs?|evidence|isn't|aren't|"
        r"doesn't|don't)\b"
    ),
    r"\b(is|are) there\b",
    r"\bany\b",
    r"\b(see|visible|present|exclude|rule out)\b",
    r"\b(evidence|signs?) (of|for)\b",
    r"\bcheck\b",
    r"\blook for\b",
    r"\bsuffer",
    r"\bhave\b",
    r"\bhas\b",
)
NORMAL = re.compile(
    r"\b(normal(ly)?|normal-sized|ok|okay|fine|healthy|unremarkable|within (normal |"
    r"the )*(limits|range)|regular|good|adequate|sufficient|acceptable|correct|proper(ly)?|"
    r"alright|right size|enough)\b"
)
BAD = re.compile(
    r"\b(bad|poor|poorly|low|inadequate|insufficient|terrible|unusable|useless|awful|"
    r"not good enough|suboptimal)\b"
)
ABOUT_FILM = _any(
    (
        r"\b(usable|useable|useful|diagnostic|readable|interpretable|gradable|assessable|"
        r"reportable)\b"
    ),
    r"\b(image|film|picture|photo|technical|x-?ray|radiograph|scan)('s)? quality\b",
    r"\bquality (of|good|ok|okay|fine|sufficient|adequate|enough|acceptable)\b",
    r"\bquality\b",
    (
        r"\b(good|ok|okay|decent|proper|bad|poor|adequate|technically) (\w+ )?(film|image|"
        r"picture|x-?ray|radiograph|scan|quality|adequate|good)\b"
    ),
    (
        r"\b(film|image|picture|x-?ray|radiograph|scan) (is )?(good|ok|okay|fine|bad|poor|"
        r"adequate|clear|sharp) (enough)?"
    ),
    r"\bcan (you|i|we|one) (use|read|trust|assess|interpret)\b",
    r"\ballow a diagnosis\b",
    r"\bwell (taken|exposed|positioned)\b",
)
UNUSABLE = re.compile(
    r"\b(unusable|useless|bad|poor|poorly|low|non-?diagnostic|inadequate|insufficient|"
    r"terrible|unreadable|suboptimal)\b"
)
LIMIT = re.compile(
    r"(?P<word>above|over|greater than|more than|larger than|bigger than|exceed\w*|"
    r"higher than|at least|>=?|≥|"
    r"below|under|less than|smaller than|lower than|at most|<=?|"
    r"≤)\s*(?:than\s+)?(?P<value>\d+(?:[.,]\d+)?)\s*(?P<unit>%|percent|mm|cm)?"
)
BELOW_WORDS = ("below", "under", "less", "smaller", "lower", "at most", "<", "≤")
LARGER = re.compile(r"\b(larg|bigg|wid|tall|high|broad|great|long)er\b|\b(larg|bigg|wid)est\b")
SMALLER = re.compile(r"\b(small|narrow|short|low)er\b|\bsmallest\b")
ALL_NORMAL = re.compile(
    r"^(is )?(this|it|everything|all|the (film|image|x-?ray))?\s*(is |looks? )?"
    r"(normal|ok|okay|fine|healthy|unremarkable|alright)\b"
)
LOOKS = re.compile(r"\b(what|how) (do|does|would|might|can) .*\blook\b(?! like (this|that)\b)")
