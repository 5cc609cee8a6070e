"""Tests of django_mobilon_sms.webhooks."""
