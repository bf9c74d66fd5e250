"""What an operator can turn, one table of the settings each; joined in ``gateway.settings``."""
