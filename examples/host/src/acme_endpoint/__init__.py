"""A small service that runs functions of others on the nodes of a cluster."""
