"""Jobs over HTTP: JSON and event streams, one view for each verb. They speak to pools only."""
