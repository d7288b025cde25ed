"""What tests share: stores, launches, histories, tiny models, clusters."""
