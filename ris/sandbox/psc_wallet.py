"""The hand that holds the card: picks a person on the sandbox's wallet page, over HTTP.

For the demo and the tests. It acts as a browser and knows nothing of the provider's inside.
"""

import re
from typing import Final
from urllib.parse import urljoin

import httpx

_FORM: Final = re.compile(r'action="([^"]+)"')
_INTERACTION: Final = re.compile(r'name="interaction" value="([^"]+)"')


def pick(browser: httpx.Client, address: str, ps_idnat: str) -> str:
    """Open the wallet page at *address* and pick *ps_idnat* (empty: refuse).

    Returns the callback address the browser is sent to. Raises ValueError when there is no form.
    """
    page = browser.get(address)
    form, interaction = _FORM.search(page.text), _INTERACTION.search(page.text)
    if page.status_code != 200 or form is None or interaction is None:
        raise ValueError(f"no wallet page: HTTP {page.status_code}")
    chosen = {"interaction": interaction[1], "person": ps_idnat}
    back = browser.post(urljoin(address, form[1]), data=chosen)
    return back.headers["location"]
