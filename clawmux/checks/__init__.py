"""What ``clawmux doctor`` looks at. Each check reads and returns findings; none changes anything of the user's."""
