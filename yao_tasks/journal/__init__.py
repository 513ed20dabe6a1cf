"""Jobs as rows: written behind the jobs' backs, and read again when memory has forgotten them."""
