"""Settings of ticket systems."""

from pydantic import Field, SecretStr

from worker.settings.base import Block


class TicketSettings(Block):
    """Ticket systems that follow the record."""

    jira_url: str = Field(default="", description="Site of Jira Cloud, e.g. https://example.atlassian.net")
    jira_user: str = Field(default="", description="E-mail of the account that AllClear uses there.")
    jira_token: SecretStr = Field(default=SecretStr(""), description="An API token of that account.")
    jira_project: str = Field(default="", description="Key of the project, e.g. OPS.")
    jira_issue_type: str = Field(default="Task", description="What an incident becomes.")
    jira_action_type: str = Field(default="", description="What an action item becomes; default: the same.")
    jira_link_type: str = Field(
        default="Relates", description="How an action item is linked to its incident; empty: only in words."
    )
    jira_done: str = Field(
        default="Done", description="The status preferred for what is done, among those that Jira counts as done."
    )
    github_repository: str = Field(default="", description="A private repository for the issues, as owner/name.")
    github_token: SecretStr = Field(
        default=SecretStr(""), description="A fine-grained token for it: Issues, read and write."
    )
    github_app: str = Field(default="", description="Instead of a token: client id of a GitHub App.")
    github_app_key: SecretStr = Field(
        default=SecretStr(""),
        description="The app's private key (PEM); easiest as a file, ALLCLEAR_GITHUB_APP_KEY_FILE.",
    )
    github_installation: int = Field(default=0, description="Number of the app's installation.")
    github_url: str = Field(default="https://api.github.com", description="Of GitHub Enterprise: https://HOST/api/v3")
    rt_url: str = Field(default="", description="Of Request Tracker, e.g. https://rt.example.com")
    rt_token: SecretStr = Field(default=SecretStr(""), description="An authentication token of RT.")
    rt_queue: str = Field(default="", description="Name of the queue.")
    rt_done: str = Field(default="resolved", description="The status of what is done.")
    rt_reopened: str = Field(default="open", description="The status of what was done and is not any more.")
