"""The life of accounts, as administrators see and change it; conflicts and alerts to look at."""
