from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
    ]

    operations = [
        migrations.CreateModel(
            name='Dashboard',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
            ],
            options={
                'verbose_name': 'jobs',
                'verbose_name_plural': 'jobs',
                'permissions': (('view_jobs', 'Can look at tasks and jobs'), ('operate_jobs', 'Can steer tasks and jobs'), ('view_job_args', 'Can see what jobs were given and what they returned')),
                'managed': False,
                'default_permissions': (),
            },
        ),
    ]
