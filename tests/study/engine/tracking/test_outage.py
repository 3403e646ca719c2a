"""The reason of an outage in one line, with what to install or set."""

import pytest
from mlflow.exceptions import MlflowException

from study.engine.tracking.outage import FilesError, reason


def stored_at(location: str, cause: Exception) -> FilesError:
    error = FilesError(location)
    error.__cause__ = cause
    return error


def test_the_reason_of_a_failure_is_the_first_exception_of_the_chain() -> None:
    message = MlflowException("API request failed with a long story")
    message.__context__ = OSError("retries exceeded")
    message.__context__.__cause__ = ConnectionRefusedError(111, "Connection refused")
    assert reason(message) == "[Errno 111] Connection refused"
    message.__context__.__cause__ = TimeoutError()  # Without a message of its own.
    assert reason(message) == "retries exceeded"


def test_a_message_that_needs_its_type_has_it() -> None:
    assert reason(TimeoutError()) == "TimeoutError"
    assert reason(KeyError("x")) == "KeyError: 'x'"
    assert reason(MlflowException("first\nsecond")) == "first"


@pytest.mark.parametrize(
    ("module", "package"),
    [
        ("boto3", "boto3"),
        ("google.cloud", "google-cloud-storage"),
        ("azure.storage.blob", "azure-storage-blob azure-identity"),
    ],
)
def test_a_missing_package_is_named_with_how_to_install_it(module: str, package: str) -> None:
    missing = ModuleNotFoundError(f"No module named '{module}'", name=module)
    assert reason(stored_at("s3://bucket/x", missing)) == (
        f"files at s3://bucket/x: No module named '{module}'; install it here: pip install "
        f"{package}"
    )


@pytest.mark.parametrize(("scheme", "variable"), [("s3", "AWS_ACCESS"), ("gs", "GOOGLE_APPL")])
def test_a_storage_that_refuses_files_is_named_with_its_variables(
    scheme: str, variable: str
) -> None:
    text = reason(stored_at(f"{scheme}://bucket/x", RuntimeError("no credentials")))
    start = f"files at {scheme}://bucket/x: RuntimeError: no credentials; {scheme}:// needs "
    assert text.startswith(start + variable)


def test_an_answer_that_asks_for_a_password_is_named_with_the_variables_for_it() -> None:
    text = reason(MlflowException("API request to endpoint / failed with error code 401 != 200."))
    assert text.endswith(
        "; set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN"
    )


def test_a_location_is_shown_without_its_password() -> None:
    text = reason(stored_at("sftp://me:secret@host/x", OSError("away")))
    assert text == "files at sftp://host/x: away"
