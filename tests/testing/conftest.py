"""What the tests of the testing kit share."""

import unittest


def run_case(case: type[unittest.TestCase]) -> unittest.TestResult:
    """Run a class of tests as a project's runner does."""
    result = unittest.TestResult()
    unittest.defaultTestLoader.loadTestsFromTestCase(case).run(result)
    return result


def told(result: unittest.TestResult) -> str:
    """What went wrong, as text; empty where nothing did."""
    return "\n".join(text for _, text in [*result.errors, *result.failures])
