"""Reading the journal through the API. Writing it is `ris.core.audit`."""
