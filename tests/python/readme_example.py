from pail import CloudProviderFactory, ProviderList

provider = CloudProviderFactory().create_provider(ProviderList.LOCAL, {})
bucket = provider.storage.buckets.create('my-bucket')
bucket.objects.create('my-data.txt').upload_from_file('/path/to/myfile.txt')

obj = bucket.objects.find(name='my-data.txt')[0]
print("Size: {0}, Modified: {1}".format(obj.size, obj.last_modified))
with open('/tmp/myfile.txt', 'wb') as f:
    obj.save_content(f)
