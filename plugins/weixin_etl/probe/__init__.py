"""Whether what this project believes of WeChat is true for an account: asked and judged."""
