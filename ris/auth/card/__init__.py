"""Sign-in by CPS or CPE card: who brought the certificate, is it believed, whom does it name."""
