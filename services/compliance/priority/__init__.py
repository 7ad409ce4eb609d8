"""Priority: KEV, EPSS, CVSS and decision trees, each decision logged with what it was made from."""
