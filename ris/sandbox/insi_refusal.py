"""How the INSi simulator refuses a request: the codes of the fault its caller sees."""


class Refusal(Exception):
    """A fault to answer: SOAP code `Sender` or `Receiver`, `siram_NNN`, and the detail's code."""

    def __init__(self, code: str, text: str, *, subcode: str = "siram_100") -> None:
        super().__init__(text)
        self.code, self.text, self.subcode, self.who = code, text, subcode, "Sender"
