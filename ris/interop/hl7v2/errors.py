"""What may be wrong with an HL7 v2 message, and how the sender is told (HL70008, HL70357).

Each error knows its ACK code, its HL70357 code and the ERR-2 place. Texts are French, without a
single value of the message.
"""

from typing import Final

from ris.core.errors import Conflict, NotFound, RisError

SEQUENCE: Final = "100"
REQUIRED: Final = "101"
DATA_TYPE: Final = "102"
NOT_IN_TABLE: Final = "103"
CARDINALITY: Final = "198"
UNSUPPORTED_MESSAGE: Final = "200"
UNSUPPORTED_EVENT: Final = "201"
UNSUPPORTED_PROCESSING: Final = "202"
UNSUPPORTED_VERSION: Final = "203"
APPLICATION: Final = "207"


class Unframed(RisError):
    """Bytes that hold no readable MSH: nobody to answer, the connection is closed."""

    status = 400
    code = "HL7_NO_HEADER"
    title = "Message HL7 sans en-tête lisible"


class MessageNotFound(NotFound):
    """No message received bears this identifier."""

    code = "HL7_MESSAGE_NOT_FOUND"
    title = "Message HL7 introuvable"


class NotReplayable(Conflict):
    """Only a refused message is applied again."""

    code = "HL7_NOT_REPLAYABLE"
    title = "Seul un message refusé peut être rejoué"


class Refused(RisError):
    """A message that is not integrated. *ack* is AE (do not resend as is) or AR (may come back).

    *condition* is an HL70357 code, *place* an ERR-2 location such as `PID^1^3`.
    """

    status = 422
    code = "HL7_REFUSED"
    title = "Message HL7 refusé"

    def __init__(
        self, condition: str, place: str = "", detail: str = "", *, ack: str = "AE", code: str = ""
    ) -> None:
        super().__init__(detail or "Message HL7 refusé.", code=code or None)
        self.condition = condition
        self.place = place
        self.ack = ack
