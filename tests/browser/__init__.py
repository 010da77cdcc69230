"""The dashboard and the documentation in a real browser: `make test-browser`."""

import pytest

pytest.register_assert_rewrite("tests.browser.checks")
