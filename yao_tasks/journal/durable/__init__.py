"""Durable jobs as rows: written in the caller's transaction, claimed, ended under a token, recovered after a death.

    draft --> WAITING --claim (token)--> RUNNING --end, fenced by the token--> SUCCESS, FAILURE
                 ^                          |
                 '--- retry, given back, or the process that ran it is dead

Every statement here is quick and changes a bounded number of rows. What a status becomes is the lifecycle's.
"""
