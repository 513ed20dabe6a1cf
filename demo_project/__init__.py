"""A small site that lets yao_tasks work: people sign up, and a welcome mail goes out in the background."""
