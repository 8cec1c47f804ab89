"""Libraries and databases behind the ports, one small module each; imported only where they are used."""
