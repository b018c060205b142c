"""What is said between the parts: words, errors and messages. Standard library only; imports nothing of ours."""
