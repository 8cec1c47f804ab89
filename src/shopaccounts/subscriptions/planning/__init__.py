"""What has become due, decided without looking anything up, and written up as papers."""
