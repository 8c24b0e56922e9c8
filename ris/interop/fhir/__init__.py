"""The FHIR R4 façade: other names for what the JSON API does, through the same services."""
