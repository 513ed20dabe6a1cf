"""The pages about tasks and jobs. They ask `tasks` and its pools, so any engine will do."""
