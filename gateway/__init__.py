"""The product as it runs: settings, intake, command line, processes; ``app`` joins the parts."""
